/**
 * The tabs of one browser agree on one of them, the leader, which holds the socket for all.
 * A Web Lock decides which tab leads; when the leader's tab closes or crashes, another one gets it.
 * A BroadcastChannel carries what the leader receives. Both belong to one user of one server, so tabs
 * of two users never get each other's messages.
 *
 * Three roles: `leader` holds the lock and the socket, `follower` listens to the leader, `alone` has a socket
 * of its own because it has neither the lock nor a leader that answers. A lock or channel that throws,
 * rejects or hangs leads to `alone`; both are tried again after growing pauses.
 *
 * owner: { lead(), follow(), probe(), hear(message), greeting() -> message }
 */
import { pause } from "./facility.js";

const GREETED_WITHIN = 3_000; // a leader answers in milliseconds; without one this tab starts alone
const ASK_EVERY = 5_000;
const ANSWER_WITHIN = 4_000;
const STABLE = 60_000; // a lock that was held this long works

export class Tabs {
  #name;
  #owner;
  #env;
  #channel = null;
  #role = "follower";
  #joined = false;
  #release = null; // ends the lock when leading
  #leave = null; // takes back the request when waiting
  #timers = {};
  #asked = 0;
  #heard = -Infinity; // when the leader's last message arrived
  #led = 0; // since when this tab leads
  #failures = 0; // of the lock or the channel, since they last worked
  #silence = 0; // how often nobody answered, since the leader was last heard

  constructor(name, owner, env) {
    this.#name = name;
    this.#owner = owner;
    this.#env = env;
  }

  static possible(env) { return Boolean(env.locks && env.BroadcastChannel); }

  /** True when this tab holds a socket. */
  get leading() { return this.#role !== "follower"; }

  join() {
    if (this.#joined) return;
    this.#joined = true;
    this.#enter();
  }

  /** The page closes or freezes: the lock goes to the next tab at once. */
  part() {
    if (!this.#joined) return;
    this.#joined = false;
    this.#exit();
    this.#become("follower");
  }

  /** From the leader to all others. */
  post(message) { if (this.#role === "leader") this.#say(message); }

  /** From a follower: ask the leader for its state. */
  ask(what = "greeting") { if (this.#role !== "leader") this.#say({ ask: what }); }

  // -- the channel and the lock --------------------------------------------------------------------

  #enter() {
    try {
      this.#channel = new this.#env.BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }) => this.#hear(Object(data));
    } catch {
      return this.#withdraw();
    }
    this.#queue();
    this.#expect("greeting", GREETED_WITHIN, () => {});
  }

  #exit() {
    for (const name of Object.keys(this.#timers)) this.#after(name);
    this.#leave?.abort();
    this.#release?.();
    try {
      if (this.#channel) this.#channel.onmessage = null;
      this.#channel?.close();
    } catch { /* it carries nothing more */ }
    this.#channel = this.#leave = this.#release = null;
  }

  /** The channel does not work: no tab can follow this one, and it cannot follow another. */
  #withdraw() {
    this.#exit();
    this.#become("alone");
    this.#after("again", pause(this.#failures++, this.#env.random), () => this.#enter());
  }

  #say(message) {
    try {
      this.#channel?.postMessage(message);
    } catch {
      this.#withdraw();
    }
  }

  async #queue(options = {}) {
    const leave = (this.#leave = new AbortController());
    // `steal` and `signal` exclude each other by the Web Locks specification.
    const how = options.steal ? options : { signal: leave.signal };
    try {
      await this.#env.locks.request(this.#name, how, () => {
        if (leave.signal.aborted) return undefined;
        return new Promise((release) => {
          this.#release = release;
          this.#led = this.#env.now();
          this.#become("leader");
        });
      });
    } catch { /* stolen while leading (this tab had fallen silent), taken back, or refused */ }
    if (!leave.signal.aborted) this.#lockLost();
  }

  #lockLost() {
    this.#release = null;
    const now = this.#env.now();
    if (this.#role === "leader" && now - this.#led >= STABLE) this.#failures = 0;
    // A tab whose lock was stolen keeps its socket until the new leader answers.
    if (this.#role === "leader" || now - this.#heard > ASK_EVERY + 2 * ANSWER_WITHIN) this.#become("alone");
    this.#after("again", pause(this.#failures++, this.#env.random), () => this.#queue());
    this.#expect("greeting", GREETED_WITHIN, () => {});
  }

  #become(role) {
    if (role === this.#role) return;
    const held = this.leading;
    this.#role = role;
    if (role === "leader") for (const name of ["watch", "again"]) this.#after(name);
    if (this.leading && !held) this.#owner.lead();
    else if (held && !this.leading) this.#owner.follow();
    else if (role === "leader") this.#say(this.#owner.greeting());
  }

  // -- what the tabs say to each other -------------------------------------------------------------

  #hear(message) {
    if (!message.ask) {
      // Any message shows that the leader is awake.
      this.#heard = this.#env.now();
      this.#asked = this.#silence = 0;
      if (this.#role === "alone") {
        this.#become("follower");
        this.ask();
      }
      this.#owner.hear(message);
    } else if (this.#role === "leader") {
      // Timers of a tab in the background may be delayed by a minute, but messages wake it: so on a follower's
      // question the leader also checks its own link.
      if (message.ask === "probe") this.#owner.probe();
      this.#say(message.ask === "here" ? { here: true } : this.#owner.greeting());
    }
  }

  /**
   * Asks the leader. Without an answer this tab is alone, and `otherwise` is done. Then the leader is asked
   * from time to time, less and less often where neither asking nor stealing has helped.
   */
  #expect(what, patience, otherwise) {
    if (this.#role === "leader") return;
    const asked = (this.#asked = this.#env.now());
    this.ask(what);
    if (!this.#channel) return;
    this.#after("watch", patience, () => {
      const late = this.#env.now() - asked > 2 * patience; // this tab was asleep itself: ask again
      if (this.#asked === asked && !late) {
        this.#become("alone");
        otherwise();
      }
      if (this.#channel && this.#role !== "leader") {
        this.#after("watch", ASK_EVERY * 2 ** Math.min(this.#silence, 6), () => this.#look());
      }
    });
  }

  /** A frozen leader keeps its lock: when it does not answer, the lock is stolen. */
  #look() {
    const patience = ANSWER_WITHIN * (1 + this.#env.random() / 2); // so that tabs do not all steal at once
    this.#expect("here", patience, () => {
      if (this.#timers.again) return; // the lock has just failed: its pause applies to stealing too
      this.#silence += 1;
      this.#leave?.abort();
      this.#queue({ steal: true });
    });
  }

  /** One timer of each name; without an action the name's timer is only stopped. */
  #after(name, delay, action) {
    this.#env.clearTimeout(this.#timers[name]);
    this.#timers[name] = action && this.#env.setTimeout(() => { this.#timers[name] = undefined; action(); }, delay);
  }
}
