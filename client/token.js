/** Keeps a user token: asks for it, shares the answer, and knows when it expires. */
import { within } from "./facility.js";

/** The claims of a JWT, unchecked (the server checks them); {} when it is not a JWT. */
export function claims(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    return Object(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return {};
  }
}

const SOON = 1000;
const ANSWER_WITHIN = 20_000; // a source that hangs is asked again

export class Token {
  #source;
  #now;
  #env;
  #held = null; // a promise, so that concurrent callers share one request
  #until = Infinity; // when the held token is too old to be used

  constructor(source, now, env = globalThis) {
    this.#source = source;
    this.#now = now;
    this.#env = env;
  }

  /** A plain string cannot be renewed: when it expires, the session ends. */
  get renewable() { return typeof this.#source === "function"; }

  /** @param {boolean} fresh ask the source again, even if a token is held */
  get(fresh = false) {
    if (fresh || !this.#held || this.#now() >= this.#until) {
      this.#until = Infinity;
      const asked = (this.#held = within(ANSWER_WITHIN, this.#ask(), this.#env));
      asked.then(
        (value) => { if (this.#held === asked) this.#until = this.#now() + (this.renewIn(value) ?? Infinity); },
        () => { if (this.#held === asked) this.#held = null; },
      );
    }
    return this.#held;
  }

  async #ask() { return this.renewable ? this.#source() : this.#source; }

  /**
   * Milliseconds until a fresh one should be asked for: when a fifth of its lifetime is left, a
   * minute at most. A new token that has already expired means that this device's clock is wrong: then its
   * whole lifetime counts from now.
   */
  renewIn(token) {
    const { exp, iat } = claims(token);
    if (!this.renewable || !Number.isFinite(exp)) return null;
    const left = exp * 1000 - this.#now();
    const life = Number.isFinite(iat) ? (exp - iat) * 1000 : Math.max(left, 300_000);
    return Math.max(SOON, (left > 0 ? left : life) - Math.min(60_000, life / 5));
  }
}
