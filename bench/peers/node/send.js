// Send from Node: `node send.js COUNT USERS`, eight at a time.
import { Queue } from "bullmq";
import { QUEUE, jobOptions, queueConnection } from "./settings.js";

const [count, users] = process.argv.slice(2).map(Number);
const queue = new Queue(QUEUE, { connection: queueConnection() });
let next = 0;

async function sender() {
  while (next < count) {
    const number = next++;
    const data = { title: String(number), message: "Your order is on its way.", type: "success" };
    await queue.add("notify", { userIds: [`user-${number % users}`], data }, jobOptions);
  }
}

await Promise.all(Array.from({ length: 8 }, sender));
process.exit(0);
