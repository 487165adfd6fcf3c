// Dispatch what waits, commit, then publish.
import { isOfTheRow, pool, run } from "./database.js";
import { FRAMES, failingFast, redis } from "./redis.js";
import { attempts, dispatchMost, retrySeconds } from "./settings.js";

const publisher = redis(failingFast);

// Nobody waits for it: what is lost here, the gateways notice and read from SQL.
function publish(rows) {
  const frames = rows.map(({ user_id, seq, unread, id, data, timestamp }) => {
    const name = JSON.stringify(user_id);
    return `{"user":${name},"name":"notification","frame":{"seq":${seq},"unread":${unread},"event":"alert","id":"${id}","timestamp":${timestamp},"data":${data}}}`;
  });
  publisher.publish(FRAMES, `[${frames.join()}]`).catch((error) => console.error("not published:", error.message));
}

// One row at a time, so that a bad one holds up no other.
async function eachAlone() {
  const { rows } = await pool.query(
    "SELECT number FROM notifications WHERE state = 'accepted' AND due_at <= now() ORDER BY number LIMIT $1",
    [dispatchMost],
  );
  for (const { number } of rows) {
    try {
      publish(await run("dispatch", [1, number]));
    } catch (error) {
      if (!isOfTheRow(error)) throw error;
      console.error(`notification ${number} failed:`, error.message);
      await run("failed", [number, error.message, attempts, retrySeconds]);
    }
  }
  return rows.length;
}

async function batch() {
  try {
    const rows = await run("dispatch", [dispatchMost, null]);
    if (rows.length > 0) publish(rows);
    return rows.length;
  } catch (error) {
    if (!isOfTheRow(error)) throw error;
    return eachAlone();
  }
}

async function drain() {
  while ((await batch()) >= dispatchMost);
}

let running = null;
let next = null;

// Drain what waits now. A caller that comes while a drain runs shares the next one: its row may be too late for this one.
export function drained() {
  if (running === null) {
    running = drain().finally(() => (running = null));
    return running;
  }
  next ??= running
    .catch(() => {})
    .then(() => {
      next = null;
      return drained();
    });
  return next;
}
