/**
 * The tabs of one browser agree on one of them, the leader, which holds the socket for all.
 * A Web Lock decides who leads: it passes on by itself when the leader's tab closes or crashes.
 * A BroadcastChannel carries what the leader hears. Both belong to one user of one server, so two
 * users in two tabs never hear each other.
 *
 * owner: { lead(), follow(), probe(), hear(message), greeting() -> message }
 */

const ASK_EVERY = 5_000;
const ANSWER_WITHIN = 4_000;

export class Tabs {
  #name;
  #owner;
  #env;
  #channel = null;
  #leading = false;
  #release = null; // ends the lock when leading
  #leave = null; // takes back the request when waiting
  #timer = null;
  #asked = 0;

  constructor(name, owner, env) {
    this.#name = name;
    this.#owner = owner;
    this.#env = env;
  }

  static possible(env) { return Boolean(env.locks && env.BroadcastChannel); }

  get leading() { return this.#leading; }

  join() {
    if (this.#channel) return;
    this.#channel = new this.#env.BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#queue();
    this.#channel.postMessage({ ask: "greeting" });
    this.#watch();
  }

  /** Closes, freezes, goes away: the lock goes to the next in line at once. */
  part() {
    if (!this.#channel) return;
    this.#env.clearTimeout(this.#timer);
    this.#step(false);
    this.#leave?.abort();
    this.#channel.close();
    this.#channel = this.#leave = null;
  }

  /** From the leader to all others. */
  post(message) { if (this.#leading) this.#channel?.postMessage(message); }

  /** From a follower: the leader shall say where it stands. */
  ask(what = "greeting") { if (!this.#leading) this.#channel?.postMessage({ ask: what }); }

  #queue(options = {}) {
    const leave = (this.#leave = new AbortController());
    // `steal` and `signal` exclude each other by the Web Locks specification.
    const how = options.steal ? options : { signal: leave.signal };
    this.#env.locks
      .request(this.#name, how, () => {
        if (leave.signal.aborted || !this.#channel) return undefined;
        return new Promise((release) => {
          this.#release = release;
          this.#step(true);
        });
      })
      .catch(() => {
        // Stolen while leading (this tab had fallen silent), or taken back. Who is still here queues again.
        if (this.#leave !== leave || leave.signal.aborted) return;
        this.#step(false);
        this.#queue();
        this.#watch();
      });
  }

  #step(leading) {
    if (leading === this.#leading) return;
    this.#leading = leading;
    if (leading) {
      this.#env.clearTimeout(this.#timer);
      this.#owner.lead();
    } else {
      this.#release?.();
      this.#release = null;
      this.#owner.follow();
    }
  }

  #hear(message) {
    if (!message.ask) {
      this.#asked = 0; // whatever the leader says, it is awake
      this.#owner.hear(message);
    } else if (this.#leading) {
      // Timers of a tab in the background may sleep for a minute, messages wake it: so the question
      // of a follower is also the leader's chance to look after its own link.
      if (message.ask === "probe") this.#owner.probe();
      this.#channel.postMessage(message.ask === "here" ? { here: true } : this.#owner.greeting());
    }
  }

  /** A leader that froze or hangs holds its lock for ever: when it does not answer, the lock is stolen. */
  #watch() {
    this.#env.clearTimeout(this.#timer);
    this.#timer = this.#env.setTimeout(() => {
      if (this.#leading || !this.#channel) return;
      const asked = (this.#asked = this.#env.now());
      this.ask("here");
      const patience = ANSWER_WITHIN * (1 + this.#env.random() / 2); // so that not all steal at once
      this.#timer = this.#env.setTimeout(() => {
        if (this.#leading || !this.#channel) return;
        const late = this.#env.now() - asked > 2 * ANSWER_WITHIN; // this tab slept itself: ask again
        if (this.#asked === asked && !late) {
          this.#leave.abort();
          this.#queue({ steal: true });
        }
        this.#watch();
      }, patience);
    }, ASK_EVERY);
  }
}
