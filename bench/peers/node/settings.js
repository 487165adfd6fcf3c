// Where the servers are, and the queue's name.
import { Redis } from "ioredis";

export const QUEUE = "notifications";
export const databaseUrl = process.env.DATABASE_URL;

export function redis(options = {}) {
  return new Redis(process.env.REDIS_URL, options);
}

// BullMQ asks for this of a connection that blocks.
export function queueConnection() {
  return redis({ maxRetriesPerRequest: null });
}

export const jobOptions = { removeOnComplete: true, removeOnFail: 1000 };
