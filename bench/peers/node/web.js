// Express and Socket.IO: takes POSTs, enqueues jobs, holds the sockets. See README.md.
import { createServer } from "node:http";
import express from "express";
import pg from "pg";
import { Queue } from "bullmq";
import { Server } from "socket.io";
import { createAdapter } from "@socket.io/redis-adapter";
import { QUEUE, databaseUrl, jobOptions, queueConnection, redis } from "./settings.js";

const pool = new pg.Pool({ connectionString: databaseUrl });
await pool.query(`CREATE TABLE IF NOT EXISTS notifications (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL,
  title text NOT NULL,
  message text NOT NULL,
  type text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
)`);
await pool.query("CREATE INDEX IF NOT EXISTS notifications_user ON notifications (user_id, id)");

const queue = new Queue(QUEUE, { connection: queueConnection() });
const app = express();
const server = createServer(app);
const pub = redis();
const io = new Server(server, { adapter: createAdapter(pub, pub.duplicate()) });

app.post("/api/notifications", express.json({ limit: "1mb" }), async (request, response) => {
  const { user_id, user_ids, data } = request.body;
  const name = user_ids ? "broadcast" : "notify";
  await queue.add(name, { userIds: user_ids ?? [user_id], data }, jobOptions);
  response.status(202).json({ status: "accepted" });
});

io.on("connection", async (socket) => {
  const { user_id: userId, after } = socket.handshake.auth;
  socket.join(userId);
  if (after === null || after === undefined) return;
  const missed = await pool.query(
    "SELECT id, title, message, type FROM notifications WHERE user_id = $1 AND id > $2 ORDER BY id",
    [userId, after],
  );
  for (const row of missed.rows) socket.emit("notification", row);
});

server.listen(Number(process.env.PORT), "127.0.0.1");
