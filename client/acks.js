/** Groups acknowledgements: they are cumulative, so one frame covers everything before it. */

const DELAY = 250;
const GROUP = 100;

export class Acks {
  #send;
  #env;
  #timer = null;
  #acked = 0;
  #seq = 0;

  constructor(send, env) {
    this.#send = send;
    this.#env = env;
  }

  /** A new socket: `hello.after` has acknowledged everything up to it already. */
  reset(after) {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    this.#acked = this.#seq = after ?? 0;
  }

  /** Everything up to `seq` has reached this device. */
  note(seq) {
    if (!(seq > this.#acked)) return;
    this.#seq = seq;
    if (seq - this.#acked >= GROUP) this.flush();
    else this.#timer ??= this.#env.setTimeout(() => this.flush(), DELAY);
  }

  flush() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#seq > this.#acked) this.#send({ op: "ack", seq: (this.#acked = this.#seq) });
  }
}
