// Accept a call: it is in SQL, committed, before its answer.
import { createHash } from "node:crypto";
import { v7 } from "uuid";
import { isOfTheRow, pool, run } from "./database.js";
import { group } from "./group.js";
import { acceptMost } from "./settings.js";

async function store(calls) {
  const rows = await run("accept", [JSON.stringify(calls)]);
  const fresh = new Set(rows.map((row) => row.id));
  return calls.map((call) => fresh.has(call.id));
}

// Grouped, one transaction at a time; each alone, as many as the pool has connections.
const grouped = group(store, acceptMost, acceptMost > 1 ? 1 : 10);

async function stored(call) {
  try {
    return await grouped(call);
  } catch (error) {
    if (!isOfTheRow(error)) throw error;
    return (await store([call]))[0]; // another call of the group may have been at fault
  }
}

// Returns {id, recipients, replayed}, or null when the key was used for another body.
export async function accept({ user_id, user_ids, data }, key) {
  const users = user_ids ? [...new Set(user_ids)] : [user_id];
  const hash = key && createHash("sha256").update(JSON.stringify([users, data])).digest("hex");
  const id = v7();
  if (await stored({ id, key, hash, user_ids: users, data })) {
    return { id, recipients: users.length, replayed: false };
  }
  const { rows } = await pool.query(
    "SELECT id, body_hash, cardinality(user_ids) AS recipients FROM notifications WHERE idempotency_key = $1",
    [key],
  );
  const [first] = rows;
  return first.body_hash === hash ? { id: first.id, recipients: first.recipients, replayed: true } : null;
}
