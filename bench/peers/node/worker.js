// The BullMQ worker: stores, then emits through Redis. See README.md.
import pg from "pg";
import { Worker } from "bullmq";
import { Emitter } from "@socket.io/redis-emitter";
import { QUEUE, databaseUrl, queueConnection, redis } from "./settings.js";

const pool = new pg.Pool({ connectionString: databaseUrl });
const emitter = new Emitter(redis());

async function work(job) {
  const { userIds, data } = job.data;
  const { title, message, type } = data;
  const { rows } = await pool.query(
    `INSERT INTO notifications (user_id, title, message, type)
     SELECT unnest($1::text[]), $2, $3, $4 RETURNING id`,
    [userIds, title, message, type],
  );
  const id = userIds.length === 1 ? rows[0].id : undefined;
  emitter.to(userIds).emit("notification", { id, title, message, type });
}

new Worker(QUEUE, work, { connection: queueConnection(), concurrency: 100 });
console.log("ready");
