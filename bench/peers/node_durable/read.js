// Mark as read: the inbox's row is locked first, as a dispatch does, so that the count stays exact.
import { pool } from "./database.js";

export async function readThrough(userId, through) {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("SELECT FROM inboxes WHERE user_id = $1 FOR UPDATE", [userId]);
    const marked = await client.query(
      `UPDATE deliveries SET read_at = clock_timestamp(), delivered_at = coalesce(delivered_at, clock_timestamp())
       WHERE user_id = $1 AND seq <= $2 AND read_at IS NULL`,
      [userId, through],
    );
    const { rows } = await client.query(
      "UPDATE inboxes SET unread = unread - $2 WHERE user_id = $1 RETURNING unread",
      [userId, marked.rowCount],
    );
    await client.query("COMMIT");
    client.release();
    return rows[0]?.unread ?? 0;
  } catch (error) {
    client.release(error); // not into the pool again
    throw error;
  }
}
