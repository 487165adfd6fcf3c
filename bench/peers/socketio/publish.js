// Publish through Redis at a steady rate: `node publish.js COUNT RATE USERS`. The title is the time.
import { Redis } from "ioredis";
import { Emitter } from "@socket.io/redis-emitter";

const [count, rate, users] = process.argv.slice(2).map(Number);
const redis = new Redis(process.env.REDIS_URL);
const emitter = new Emitter(redis);
await redis.ping();
const began = process.hrtime.bigint(); // CLOCK_MONOTONIC, as Python's time.monotonic_ns

function publish(number) {
  const title = String(process.hrtime.bigint());
  const alert = { title, message: "Your order is on its way.", type: "success" };
  emitter.to(`user-${number % users}`).emit("notification", alert);
}

for (let number = 0; number < count; number++) {
  const due = Number(began) / 1e6 + (number * 1000) / rate;
  const wait = due - Number(process.hrtime.bigint()) / 1e6;
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  publish(number);
}
await redis.quit();
