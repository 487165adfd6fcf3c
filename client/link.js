/**
 * One socket that reconnects by itself: hello, resume, acks, pings, tokens, backoff.
 * It knows nothing of inboxes: frames go to `owner.frame`, which says whether one is missing.
 *
 * owner: { url, device, token, after(), frame(frame) -> "gap" | …, state(name, detail) }
 */
import { Acks } from "./acks.js";
import { backoff, spread } from "./backoff.js";

const OPEN_TIMEOUT = 10_000; // from the attempt to `welcome`
const TICK = 5_000;
const QUIET = 15_000; // silence after which a ping is sent; + TICK + PONG_TIMEOUT stays under 35 s
const PONG_TIMEOUT = 10_000;
const PROBE_TIMEOUT = 4_000; // when the link may be dead: the device woke up, the network changed
const STABLE = 5_000; // a link must be open this long before the backoff starts again from its first pause

/** Closed permanently: another attempt would get the same answer. */
const FINAL = { 4401: "unauthorized", 4403: "refused" };

export class Link {
  #owner;
  #env;
  #socket = null;
  #acks;
  #running = false;
  #live = false;
  #attempt = 0;
  #opened = false; // the last socket was accepted
  #renewed = false; // 4401 was answered with a fresh token already
  #timers = {};
  #heard = 0;
  #ticked = 0;
  #liveSince = 0;
  #interval = QUIET;

  constructor(owner, env) {
    this.#owner = owner;
    this.#env = env;
    this.#acks = new Acks((frame) => this.#send(frame), env);
  }

  get running() { return this.#running; }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#attempt = 0;
    this.#renewed = false;
    this.#open();
  }

  stop() {
    if (this.#live) this.#acks.flush();
    this.#running = false;
    this.#drop();
  }

  /** Checks whether the other end is still there: after waking up, going online, or on request. */
  probe() {
    if (!this.#running) return;
    if (this.#timers.retry) this.#open();
    else if (this.#live) this.#ping(PROBE_TIMEOUT);
  }

  async #open(fresh = false) {
    this.#drop();
    this.#owner.state("connecting");
    const timers = this.#timers;
    this.#after("open", OPEN_TIMEOUT, () => this.#lost());
    let token;
    try {
      token = await this.#owner.token.get(fresh);
    } catch (error) {
      if (timers === this.#timers) this.#lost(null, error);
      return;
    }
    if (timers !== this.#timers) return; // stopped, or started again, in the meantime
    if (!token) return this.#end("unauthorized");
    let socket;
    try {
      socket = this.#socket = new this.#env.WebSocket(this.#owner.url, ["notifier.v1"]);
    } catch {
      return this.#lost();
    }
    const after = this.#owner.after();
    this.#opened = false;
    socket.onopen = () => {
      this.#opened = true;
      this.#send({ op: "hello", token, after, device: this.#owner.device });
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#acks.reset(after);
    this.#renewLater(token);
  }

  #receive(data) {
    this.#heard = this.#env.now();
    this.#after("pong");
    const frame = JSON.parse(data);
    if (frame.op === "welcome") {
      this.#renewed = false;
      this.#interval = Math.min(QUIET, frame.ping_interval * 1000 || QUIET);
    }
    if (this.#owner.frame(frame) === "gap") return this.#lost();
    if (frame.op === "live") {
      this.#live = true;
      this.#liveSince = this.#ticked = this.#heard;
      this.#after("open");
      this.#tick();
      this.#owner.state("live");
    }
    // Before `live` a window is incomplete, and nothing of it may be acked.
    if (this.#live) this.#acks.note(this.#owner.after());
  }

  #closed(code, reason) {
    this.#drop();
    if (code === 4401 && this.#owner.token.renewable && !this.#renewed) {
      this.#renewed = true;
      return this.#open(true);
    }
    if (FINAL[code]) return this.#end(FINAL[code]);
    return this.#lost(code === 1012 ? spread(reason, this.#env.random) : null);
  }

  /** @param error why it could not connect, if that is known */
  #lost(delay = null, error = null) {
    if (this.#liveSince && this.#env.now() - this.#liveSince >= STABLE) this.#attempt = 0;
    this.#liveSince = 0;
    this.#drop();
    delay ??= backoff(this.#attempt++, this.#env.random);
    this.#owner.state("offline", { retryIn: delay, error, refusals: this.#opened ? 0 : this.#attempt });
    this.#after("retry", delay, () => this.#open());
  }

  #end(state) {
    this.#running = false;
    this.#drop();
    this.#owner.state(state);
  }

  /** Abandons the socket without waiting: a dead one would take minutes to close. */
  #drop() {
    for (const timer of Object.values(this.#timers)) this.#env.clearTimeout(timer);
    this.#timers = {};
    this.#live = false;
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #tick() {
    const now = this.#env.now();
    // A tick this late was delayed by sleep or by a page in the background.
    if (now - this.#ticked > 3 * TICK) this.#ping(PROBE_TIMEOUT);
    else if (now - this.#heard >= this.#interval) this.#ping(PONG_TIMEOUT);
    this.#ticked = now;
    this.#after("tick", TICK, () => this.#tick());
  }

  #ping(timeout) {
    if (this.#timers.pong) return;
    this.#send({ op: "ping" });
    this.#after("pong", timeout, () => this.#lost());
  }

  #renewLater(token) {
    const delay = this.#owner.token.renewIn(token);
    if (delay === null) return;
    // setTimeout takes 31 bits; beyond a day it is enough to look again.
    this.#after("renew", Math.min(delay, 86_400_000), async () => {
      const timers = this.#timers;
      try {
        const fresh = await this.#owner.token.get(true);
        if (timers !== this.#timers) return;
        if (this.#live && fresh) this.#send({ op: "auth", token: fresh });
        this.#renewLater(fresh);
      } catch {
        if (timers === this.#timers) this.#after("renew", 5_000, () => this.#renewLater(token));
      }
    });
  }

  #send(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  /** One timer of each name; without an action the name's timer is only stopped. */
  #after(name, delay, action) {
    this.#env.clearTimeout(this.#timers[name]);
    this.#timers[name] = action && this.#env.setTimeout(() => { this.#timers[name] = undefined; action(); }, delay);
  }
}
