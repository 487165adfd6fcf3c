/** Keeps one user token at hand: asks for it, shares the answer, knows when it ends. */
import { within } from "./facility.js";

/** The claims of a JWT, unchecked (checking is the server's part); {} when it is none. */
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
  #held = null; // a promise, so that callers who come together share one request
  #until = Infinity; // when what is held is too old to be handed out

  constructor(source, now, env = globalThis) {
    this.#source = source;
    this.#now = now;
    this.#env = env;
  }

  /** A string cannot be renewed: when it ends, the session ends. */
  get renewable() { return typeof this.#source === "function"; }

  /** @param {boolean} fresh ask the source again, whatever is held */
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
   * Milliseconds until a fresh one should be asked for: when a fifth of its life is left, a minute
   * at most. One that has ended already, and yet was just handed out, says that this device's clock
   * is wrong: then its whole life counts from now.
   */
  renewIn(token) {
    const { exp, iat } = claims(token);
    if (!this.renewable || !Number.isFinite(exp)) return null;
    const left = exp * 1000 - this.#now();
    const life = Number.isFinite(iat) ? (exp - iat) * 1000 : Math.max(left, 300_000);
    return Math.max(SOON, (left > 0 ? left : life) - Math.min(60_000, life / 5));
  }
}
