// Wake a worker. Nobody waits for it: a wake-up that is lost changes nothing but the delay, since the worker sweeps.
import { Queue } from "bullmq";
import { WAKE_UPS, failingFast, redis } from "./redis.js";

const queue = new Queue(WAKE_UPS, { connection: redis(failingFast) });
queue.on("error", () => {}); // said by the connection
const options = { removeOnComplete: true, removeOnFail: true };
let adding = false;
let again = false;

// One job drains all that waits, so those asked for while one is being added share the next.
export async function wake() {
  again = true;
  if (adding) return;
  adding = true;
  try {
    while (again) {
      again = false;
      await queue.add("drain", null, options);
    }
  } catch (error) {
    console.error("no wake-up, the sweep will find it:", error.message);
  } finally {
    adding = false;
  }
}
