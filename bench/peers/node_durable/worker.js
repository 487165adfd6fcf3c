// The worker: wake-ups from BullMQ, and a sweep for what no wake-up reached. See README.md.
import { Worker } from "bullmq";
import { drained } from "./dispatch.js";
import { WAKE_UPS, blocking, redis } from "./redis.js";
import { sweepSeconds } from "./settings.js";

const worker = new Worker(WAKE_UPS, drained, { connection: redis(blocking), concurrency: 50 });
worker.on("error", () => {}); // said by the connection
worker.on("failed", (_job, error) => console.error("a drain failed, the sweep tries again:", error.message));

async function sweep() {
  try {
    await drained();
  } catch (error) {
    console.error("a sweep failed:", error.message);
  }
  setTimeout(sweep, sweepSeconds * 1_000);
}

await sweep();
await worker.waitUntilReady();
console.log("ready");

process.once("SIGTERM", async () => {
  await worker.close();
  process.exit(0);
});
