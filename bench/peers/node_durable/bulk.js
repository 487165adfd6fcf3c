// Send from Node: `node bulk.js COUNT AT_ONCE USERS`, a thousand jobs in each addBulk. Says how many seconds that took.
import { v7 } from "uuid";
import { Queue } from "bullmq";
import { ALERTS, redis } from "./redis.js";

const BATCH = 1_000;
const [count, atOnce, users] = process.argv.slice(2).map(Number);
const queue = new Queue(ALERTS, { connection: redis() });
const opts = { attempts: 5, backoff: { type: "exponential", delay: 1_000 }, removeOnComplete: true, removeOnFail: 1_000 };
let next = 0;

function job(number) {
  const data = { title: String(number), message: "Your order is on its way.", type: "success" };
  return { name: "alert", data: { user_id: `user-${number % users}`, data }, opts: { ...opts, jobId: v7() } };
}

async function sender() {
  while (next < count) {
    const first = next;
    next = Math.min(first + BATCH, count);
    await queue.addBulk(Array.from({ length: next - first }, (_, at) => job(first + at)));
  }
}

await queue.waitUntilReady();
const began = performance.now();
await Promise.all(Array.from({ length: atOnce }, sender));
console.log((performance.now() - began) / 1_000);
process.exit(0);
