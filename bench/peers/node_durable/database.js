// The pool, and the statements by the names of their files. A named statement is prepared once for each connection.
import { readFileSync } from "node:fs";
import pg from "pg";
import { databaseUrl } from "./settings.js";

pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export const pool = new pg.Pool({
  connectionString: databaseUrl,
  connectionTimeoutMillis: 5_000,
  statement_timeout: 10_000,
});
pool.on("error", (error) => console.error("an idle connection was lost:", error.message));

const texts = new Map();

function text(name) {
  if (!texts.has(name)) texts.set(name, readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), "utf8"));
  return texts.get(name);
}

export async function run(name, values) {
  const { rows } = await pool.query({ name, text: text(name), values });
  return rows;
}

// Whether an error is the row's own (22 data, 23 integrity, P0 raised by a trigger), and not the database's.
export function isOfTheRow(error) {
  return /^(22|23|P0)/.test(error.code ?? "");
}
