/** How long to wait before the next attempt: pure functions, in milliseconds. */

const BASE = 500;
const CAP = 30_000;

/**
 * Full jitter (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015): anywhere between zero
 * and a bound that doubles from 0.5 s to 30 s, so that a crowd that lost its server at one moment
 * does not come back at one moment.
 */
export const backoff = (attempt, random = Math.random) => random() * Math.min(CAP, BASE * 2 ** attempt);

/**
 * A restarting server closes with 1012 and names in the reason the seconds over which its clients
 * shall spread their return ("3.4"). Null when the reason is no such number.
 */
export function spread(reason, random = Math.random) {
  const seconds = /^\d{1,4}(\.\d+)?$/.test(reason) ? Number(reason) : NaN;
  return seconds >= 0 ? random() * seconds * 1000 : null;
}
