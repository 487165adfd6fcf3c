// The worker for alerts that come as jobs (bulk.js): each is stored, once for each job; then the others' work begins.
import { Worker } from "bullmq";
import { accept } from "./accept.js";
import { drained } from "./dispatch.js";
import { ALERTS, blocking, redis } from "./redis.js";
import { acceptMost } from "./settings.js";
import { call } from "./validate.js";
import "./worker.js";

async function work(job) {
  await accept(call.parse(job.data), job.id); // a job that runs again stores nothing new
  drained().catch((error) => console.error("a drain failed, the sweep tries again:", error.message));
}

const worker = new Worker(ALERTS, work, { connection: redis(blocking), concurrency: acceptMost });
worker.on("error", () => {}); // said by the connection
worker.on("failed", (job, error) => console.error(`job ${job?.id} failed:`, error.message));

process.once("SIGTERM", () => worker.close());
