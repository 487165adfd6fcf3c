/** How long to wait before the next attempt: pure functions, in milliseconds. */

const BASE = 500;
const CAP = 30_000;

/**
 * Full jitter (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015): anywhere between zero
 * and a bound that doubles from 0.5 s to 30 s, so that many clients that lost
 * their server at the same time do not return at the same time.
 */
export const backoff = (attempt, random = Math.random) => random() * Math.min(CAP, BASE * 2 ** attempt);

/**
 * A restarting server closes with 1012; the reason is the number of seconds over which its clients
 * should spread their return ("3.4"). Null when the reason is not such a number.
 */
export function spread(reason, random = Math.random) {
  const seconds = /^\d{1,4}(\.\d+)?$/.test(reason) ? Number(reason) : NaN;
  return seconds >= 0 ? random() * seconds * 1000 : null;
}
