/**
 * An estimate of the server's clock, so that "5 minutes ago" is right on a device whose clock is hours off.
 * `welcome` has the server's time; before it, or from an older server, the HTTP `Date` and the times of new
 * events give an estimate.
 */
export class ServerClock {
  #now;
  #ahead = 0; // ms that the server is ahead of this device
  #exact = false;

  /** @param {() => number} now the device's own clock, ms since 1970 */
  constructor(now) { this.#now = now; }

  now() { return this.#now() + this.#ahead; }

  /** Milliseconds that the server is ahead, for another tab of this device; undefined when the server has not told its time. */
  get ahead() { return this.#exact ? this.#ahead : undefined; }
  set ahead(ms) { if (Number.isFinite(ms)) [this.#ahead, this.#exact] = [ms, true]; }

  /** The server has just told its time. */
  said(timestamp) {
    if (Number.isFinite(timestamp)) this.ahead = timestamp - this.#now();
  }

  /** An HTTP answer's `Date`, in whole seconds. */
  dated(date) {
    const timestamp = Date.parse(date);
    if (!this.#exact && Number.isFinite(timestamp)) this.#ahead = timestamp + 500 - this.#now();
  }

  /** Something has just happened at this time: the server's time is not earlier now, and without better information not much later. */
  happened(timestamp) {
    if (Number.isFinite(timestamp) && (!this.#exact || timestamp > this.now())) this.#ahead = timestamp - this.#now();
  }
}
