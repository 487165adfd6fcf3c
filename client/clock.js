/**
 * The server's clock, as well as this device can know it: what is shown as "5 minutes ago" must not depend
 * on a device whose clock is hours off. `welcome` names the server's time; before that (an older server) the
 * HTTP `Date` and the events that have just happened tell it about as well.
 */
export class ServerClock {
  #now;
  #ahead = 0; // ms that the server is ahead of this device
  #exact = false;

  /** @param {() => number} now the device's own clock, ms since 1970 */
  constructor(now) { this.#now = now; }

  now() { return this.#now() + this.#ahead; }

  /** Milliseconds that the server is ahead, for another tab of this device; undefined when it has not said so itself. */
  get ahead() { return this.#exact ? this.#ahead : undefined; }
  set ahead(ms) { if (Number.isFinite(ms)) [this.#ahead, this.#exact] = [ms, true]; }

  /** The server has just said what time it is. */
  said(timestamp) {
    if (Number.isFinite(timestamp)) this.ahead = timestamp - this.#now();
  }

  /** An HTTP answer's `Date`, in whole seconds. */
  dated(date) {
    const timestamp = Date.parse(date);
    if (!this.#exact && Number.isFinite(timestamp)) this.#ahead = timestamp + 500 - this.#now();
  }

  /** Something has just happened at this time: it is not earlier now, and without a better word not much later. */
  happened(timestamp) {
    if (Number.isFinite(timestamp) && (!this.#exact || timestamp > this.now())) this.#ahead = timestamp - this.#now();
  }
}
