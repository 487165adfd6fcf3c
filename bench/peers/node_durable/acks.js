// Acks, written together every quarter of a second. What a crash loses is acked again by the next connection.
import { pool } from "./database.js";
import { ackSeconds } from "./settings.js";

const waiting = new Map(); // user -> [after, through]
let timer = null;

export function ack(userId, after, through) {
  const [first, last] = waiting.get(userId) ?? [after, through];
  waiting.set(userId, [Math.min(first, after), Math.max(last, through)]);
  timer ??= setTimeout(flush, ackSeconds * 1_000);
}

export async function flush() {
  clearTimeout(timer);
  timer = null;
  const acks = [...waiting].sort(([one], [other]) => (one < other ? -1 : 1));
  waiting.clear();
  if (acks.length === 0) return;
  try {
    await pool.query({
      name: "ack",
      text: `UPDATE deliveries SET delivered_at = clock_timestamp()
        FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS ack (user_id, after, through)
        WHERE deliveries.user_id = ack.user_id AND deliveries.seq > ack.after AND deliveries.seq <= ack.through
          AND deliveries.delivered_at IS NULL`,
      values: [acks.map(([user]) => user), acks.map(([, [after]]) => after), acks.map(([, [, through]]) => through)],
    });
  } catch (error) {
    console.error("acks are written later:", error.message);
    for (const [user, [after, through]] of acks) ack(user, after, through);
  }
}
