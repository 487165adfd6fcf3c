// Socket.IO: a token, a replay, then what the workers publish, to all sockets of the user.
import jwt from "jsonwebtoken";
import { Server } from "socket.io";
import { ack } from "./acks.js";
import { pool } from "./database.js";
import { readThrough } from "./read.js";
import { Reader } from "./reader.js";
import { FRAMES, failingFast, redis } from "./redis.js";
import { repairSeconds } from "./settings.js";
import { seq } from "./validate.js";

const readers = new Map(); // user -> its readers here

export function gateway(server, secret) {
  const io = new Server(server, { maxHttpBufferSize: 65_536, serveClient: false });
  const publisher = redis(failingFast);

  io.use((socket, next) => {
    const { token, after = null } = socket.handshake.auth;
    try {
      const { sub, exp } = jwt.verify(token, secret, { algorithms: ["HS256"] });
      if (!sub || !exp) throw new Error("no sub, or no exp");
      if (after !== null) seq.parse(after);
      Object.assign(socket.data, { userId: sub, after, endsAt: exp * 1_000 });
      next();
    } catch {
      next(new Error("unauthorized"));
    }
  });

  io.on("connection", async (socket) => {
    const { userId, after, endsAt } = socket.data;
    const reader = new Reader(socket, userId);
    const end = setTimeout(() => socket.disconnect(true), Math.min(endsAt - Date.now(), 2 ** 31 - 1));
    if (!readers.has(userId)) readers.set(userId, new Set());
    readers.get(userId).add(reader);
    socket.on("disconnect", () => {
      clearTimeout(end);
      readers.get(userId)?.delete(reader);
      if (readers.get(userId)?.size === 0) readers.delete(userId);
    });
    socket.on("ack", (said) => {
      const through = Math.min(valid(socket, said?.seq), reader.sent);
      if (through > reader.acked) ack(userId, reader.acked, through);
      reader.acked = Math.max(reader.acked, through);
    });
    socket.on("read", async (said) => {
      const through = Math.min(valid(socket, said?.through), reader.sent);
      try {
        const unread = await readThrough(userId, through);
        await publisher.publish(FRAMES, JSON.stringify([{ user: userId, name: "read", frame: { through, unread } }]));
      } catch (error) {
        console.error("a mark was not stored, or not published:", error.message);
      }
    });
    try {
      await reader.start(after);
      if (after > 0) ack(userId, 0, Math.min(after, reader.sent));
    } catch (error) {
      console.error("a socket could not be started:", error.message);
      socket.disconnect(true);
    }
  });

  subscribe();
  setInterval(repair, repairSeconds * 1_000).unref();
  return io;
}

function valid(socket, value) {
  const parsed = seq.safeParse(value);
  if (!parsed.success) socket.disconnect(true);
  return parsed.success ? parsed.data : -1;
}

function subscribe() {
  const subscriber = redis(); // subscribes again by itself
  subscriber.subscribe(FRAMES);
  subscriber.on("message", (_channel, message) => {
    for (const { user, name, frame } of JSON.parse(message)) {
      for (const reader of readers.get(user) ?? []) {
        if (name === "notification") reader.offer(frame);
        else reader.socket.emit(name, frame);
      }
    }
  });
  subscriber.on("ready", repair); // what was published meanwhile is in SQL
}

// The last frame of a user may have been lost, so that no gap shows: compare the heads.
async function repair() {
  if (readers.size === 0) return;
  try {
    const { rows } = await pool.query("SELECT user_id, seq FROM inboxes WHERE user_id = ANY($1)", [[...readers.keys()]]);
    for (const { user_id, seq: head } of rows) {
      for (const reader of readers.get(user_id) ?? []) if (reader.sent < head) reader.catchUp();
    }
  } catch (error) {
    console.error("repair put off:", error.message);
  }
}
