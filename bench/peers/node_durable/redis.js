// Connections to Redis, the names used there, and what a wake-up is.
import { Redis } from "ioredis";
import { redisUrl } from "./settings.js";

export const WAKE_UPS = "wake-ups";
export const FRAMES = "frames";
export const ALERTS = "alerts";

export function redis(options = {}) {
  const connection = new Redis(redisUrl, options);
  connection.on("error", (error) => console.error("redis:", error.message));
  return connection;
}

// For callers that must not wait while Redis is away: the command fails, and the sweep or the repair does its work.
export const failingFast = { enableOfflineQueue: false, maxRetriesPerRequest: 1 };

// BullMQ asks for this of a connection that blocks.
export const blocking = { maxRetriesPerRequest: null };
