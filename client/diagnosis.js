/**
 * Finds out why there is no connection: a wrong address, where waiting does not help, or an outage, which
 * ends. A wrong address stays the state until something works, and is logged once in the console.
 *
 * owner: { tell(state, detail), trying(), page(query) -> Promise, address }: `page` is an HTTP call to `address`,
 * `trying` says whether there is still no connection.
 */
import { ConfigurationError } from "./configuration.js";

export class Diagnosis {
  #owner;
  #env;
  /** {address, status} of the wrong address; null when none is known. */
  wrong = null;

  constructor(owner, env) {
    this.#owner = owner;
    this.#env = env;
  }

  /**
   * Takes the state of the link.
   * @param detail { retryIn, error: why it could not try, refusals: how many handshakes in a row failed }
   */
  hear(state, { retryIn, error, refusals } = {}) {
    if (error instanceof ConfigurationError) return this.#blame(error, retryIn);
    const trying = state === "offline" || state === "connecting";
    if (!trying) this.wrong = null;
    if (this.wrong) return;
    this.#owner.tell(state, retryIn === undefined ? undefined : { retryIn });
    // A browser does not tell how a handshake was answered. Where none ever succeeds, an HTTP call shows why.
    if (state === "offline" && (refusals === 2 || (refusals > 0 && refusals % 8 === 0))) void this.#ask();
  }

  /** Takes the state that another tab, which has the link, found. */
  follow(state, wrong) {
    if (state === "misconfigured") this.wrong = wrong;
    else if (state !== "connecting") this.wrong = null;
  }

  #blame({ address, status, message }, retryIn) {
    if (this.wrong?.address === address && this.wrong.status === status) return;
    this.wrong = { address, status };
    this.#env.report?.(`Live Notifications cannot connect: ${message}. Check the address that this page names.`);
    this.#owner.tell("misconfigured", { address, status, retryIn });
  }

  async #ask() {
    try {
      await this.#owner.page({ status: "unread", limit: 1 });
    } catch ({ status }) {
      if ((status === 404 || status === 405) && this.#owner.trying()) this.#blame(new ConfigurationError(this.#owner.address, status));
    }
  }
}
