/**
 * Browser facilities that can be missing, throw, reject or hang (Web Locks, BroadcastChannel, storage,
 * desktop notifications: blocked site data, sandboxed frames and private windows do each of these).
 * The callers continue without it; nothing here names a browser's API.
 */

/** Return what `ask()` gives; undefined when it throws. */
export function have(ask) {
  try {
    return ask() ?? undefined;
  } catch {
    return undefined;
  }
}

/** Return the promise's result; reject after `ms` when it has none. `env` has setTimeout and clearTimeout. */
export function within(ms, promise, env = globalThis) {
  let timer;
  const late = new Promise((_, fail) => { timer = env.setTimeout(() => fail(new Error(`no answer within ${ms} ms`)), ms); });
  return Promise.race([promise, late]).finally(() => env.clearTimeout(timer));
}

const LONGEST = 300_000;

/** Return how long to wait before a facility that has failed that many times is tried again: 0.5 s to 5 minutes. */
export const pause = (failures, random = Math.random) => Math.min(LONGEST, 1000 * 2 ** Math.min(failures, 9)) * (0.5 + random() / 2);
