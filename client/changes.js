/**
 * Changes of state that this device makes: shown at once, taken back when the server refuses them.
 * They go by HTTP, because each then has its own answer; the event arrives on the socket.
 *
 * owner: { store, api, live() -> boolean, untilLive() -> Promise, changed() }
 */
import { backoff } from "./backoff.js";

const TRIES = 5;
const PATHS = { read: "read", unread: "unread", archived: "archive", snoozed: "snooze", unsnoozed: "unsnooze", seen: "seen" };

export class Changes {
  #owner;
  #env;
  #last = Promise.resolve(); // one after the other, so that a read and an unread keep their order

  constructor(owner, env) {
    this.#owner = owner;
    this.#env = env;
  }

  async make(kind, target) {
    if (target.ids?.length === 0) return;
    const { store, changed } = this.#owner;
    const op = store.begin(kind, target);
    changed();
    const sent = this.#last.then(() => this.#send(PATHS[kind], target));
    this.#last = sent.catch(() => {});
    try {
      const { seq } = await sent;
      store.settle(op, seq);
    } catch (error) {
      store.drop(op);
      throw error;
    } finally {
      changed();
    }
  }

  /** Offline it waits for the link; when the server fails, it is tried again several times. */
  async #send(path, target) {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#owner.api.change(path, target);
      } catch (error) {
        if (!error.transient || attempt === TRIES) throw error;
        if (this.#owner.live()) await this.#wait(error.retryAfter ?? backoff(attempt, this.#env.random));
        else await this.#owner.untilLive();
      }
    }
  }

  #wait(delay) { return new Promise((done) => this.#env.setTimeout(done, delay)); }
}
