/**
 * Why there is no connection: tells an address that is set up wrong, where waiting changes nothing, from an
 * outage, which passes. A wrong address stays the state until something works, and is said once in the console.
 *
 * owner: { tell(state, detail), trying(), page(query) -> Promise, address }: `page` is an HTTP call to `address`,
 * `trying` says whether there is still no connection.
 */
import { ConfigurationError } from "./configuration.js";

export class Diagnosis {
  #owner;
  #env;
  /** {address, status} of what is set up wrong; null when nothing is known to be. */
  wrong = null;

  constructor(owner, env) {
    this.#owner = owner;
    this.#env = env;
  }

  /**
   * What the link says of itself.
   * @param detail { retryIn, error: what kept it from trying, refusals: how many handshakes in a row failed }
   */
  hear(state, { retryIn, error, refusals } = {}) {
    if (error instanceof ConfigurationError) return this.#blame(error, retryIn);
    const trying = state === "offline" || state === "connecting";
    if (!trying) this.wrong = null;
    if (this.wrong) return;
    this.#owner.tell(state, retryIn === undefined ? undefined : { retryIn });
    // A browser does not say how a handshake was answered. Where none ever succeeds, an HTTP call tells.
    if (state === "offline" && (refusals === 2 || (refusals > 0 && refusals % 8 === 0))) void this.#ask();
  }

  /** What another tab, which has the link, says. */
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
