/** The HTTP calls of one user: older pages, changes of state, preferences. */
import { within } from "./facility.js";

const ANSWER_WITHIN = 30_000;

/** The server refused a call, or did not answer: then `status` is 0. `errors` [{loc, msg}] says what is wrong with the body. */
export class RequestError extends Error {
  constructor(status, message, retryAfter = null, errors = []) {
    super(message);
    this.name = "RequestError";
    this.status = status;
    this.retryAfter = retryAfter;
    this.errors = errors;
  }

  /** True when the same call can work later: no answer, too many calls, or a fault of the server. */
  get transient() { return this.status === 0 || this.status === 429 || this.status >= 500; }
}

export class Api {
  #base;
  #token;
  #env;
  #dated;

  /** @param {(date: string | null) => void} dated called with the `Date` of each answer */
  constructor(base, token, env, dated = () => {}) {
    this.#dated = dated;
    this.#base = base;
    this.#token = token;
    this.#env = env;
  }

  page(query) { return this.#call(`inbox?${new URLSearchParams(query)}`); }

  /** `keepalive`: a click on a link marks its entry as read and leaves the page at the same time. */
  change(path, body) {
    return this.#call(`inbox/${path}`, { method: "POST", body: JSON.stringify(body), keepalive: true });
  }

  /** What the user wants of each category; with a patch, what holds after it. */
  preferences(patch) { return this.#call("preferences", patch && { method: "PATCH", body: JSON.stringify(patch) }); }

  async #call(path, init = {}, fresh = false) {
    let answer;
    try {
      const token = await this.#token.get(fresh);
      const headers = { Authorization: `Bearer ${token}`, ...(init.body && { "Content-Type": "application/json" }) };
      const asked = this.#env.fetch(new URL(`api/${path}`, this.#base), { ...init, headers, credentials: "same-origin" });
      answer = await within(ANSWER_WITHIN, asked, this.#env);
    } catch (error) {
      throw new RequestError(0, String(error?.message ?? error));
    }
    this.#dated(answer.headers?.get("Date"));
    if (answer.status === 401 && !fresh && this.#token.renewable) return this.#call(path, init, true);
    const body = await answer.json().catch(() => null);
    if (!answer.ok) {
      const seconds = Number(answer.headers?.get("Retry-After"));
      throw new RequestError(answer.status, body?.title ?? `HTTP ${answer.status}`, seconds > 0 ? seconds * 1000 : null, body?.errors);
    }
    return body;
  }
}
