/**
 * The browser client of live notifications: an object that stays connected and holds the inbox.
 * Use: `const client = new NotifierClient({ url: "/", token: async () => … }); client.connect()`.
 *
 * This file puts the parts together; the rules are in the parts: store.js (the meaning of frames), link.js
 * (one socket that reconnects), tabs.js (one socket for all tabs), changes.js and pages.js (calls over HTTP),
 * diagnosis.js (why there is no connection), clock.js (the server's time).
 */
import { Api, RequestError } from "./api.js";
import { backoff } from "./backoff.js";
import { Changes } from "./changes.js";
import { ServerClock } from "./clock.js";
import { Diagnosis } from "./diagnosis.js";
import { browser, endpoints } from "./environment.js";
import { Link } from "./link.js";
import { Pages } from "./pages.js";
import { Store } from "./store.js";
import { Tabs } from "./tabs.js";
import { Token, claims } from "./token.js";

export { RequestError } from "./api.js";
export { ConfigurationError } from "./configuration.js";
export { Store } from "./store.js";

/** The client's own event types: a notifier event with such a name is dispatched as `event` only. */
const OWN = new Set(["state", "unread", "change", "event", "problem", "preferences"]);
const list = (ids) => (Array.isArray(ids) ? ids : [ids]);

export class NotifierClient extends EventTarget {
  #env;
  #token;
  #api;
  #link;
  #tabs = null;
  #share;
  #run = null; // an object for each connect(), so that work begun before a close() can tell that it is over
  #state = "closed";
  #said = 0; // the unread count that was last dispatched
  #pages;
  #changes;
  #socket;
  #clock;
  #diagnosis;

  constructor({ url, token, after = null, device, keep, share = true } = {}, env = browser()) {
    super();
    const { base, socket } = endpoints(url, env.here);
    this.#env = env;
    this.#socket = socket;
    this.#clock = new ServerClock(env.now);
    this.#share = share && Tabs.possible(env);
    this.#token = new Token(token, env.now, env);
    this.#api = new Api(base, this.#token, env, (date) => this.#clock.dated(date));
    this.store = new Store({ after, keep });
    this.#changes = new Changes({
      store: this.store,
      api: this.#api,
      live: () => this.#state === "live",
      untilLive: () => this.#until(() => this.#state === "live"),
      changed: () => this.#changed(),
    }, env);
    this.#pages = new Pages({
      store: this.store,
      api: this.#api,
      untilWindow: () => this.#until(() => this.store.seq !== null),
      changed: () => this.#changed(),
    });
    this.#diagnosis = new Diagnosis({
      address: `${base}api/inbox`,
      page: (query) => this.#api.page(query),
      trying: () => this.#run !== null && this.#state !== "live",
      tell: (state, detail) => this.#tell(state, detail),
    }, env);
    this.#link = new Link({
      url: socket,
      device: device ?? env.device(),
      token: this.#token,
      after: () => this.store.seq,
      frame: (frame) => this.#frame(frame),
      state: (state, detail) => this.#diagnosis.hear(state, detail),
    }, env);
  }

  /** closed · connecting · live · offline, misconfigured (try again by themselves) · unauthorized · refused (do not) */
  get state() { return this.#state; }
  get items() { return this.store.items; }
  get badges() { return this.store.badges; }
  /** True when this tab holds the socket. */
  get leading() { return this.#link.running; }
  /** {address, status}: which address of the configuration gives the wrong answer; null when none is known. */
  get misconfigured() { return this.#diagnosis.wrong; }
  /** Milliseconds since 1970 by the server's clock, as an estimate. */
  now() { return this.#clock.now(); }

  connect() {
    if (this.#run) return;
    this.#run = {};
    this.#listen("addEventListener");
    this.#tell("connecting");
    this.#begin();
  }

  close() {
    if (!this.#run) return;
    this.#stop();
    this.#tell("closed");
  }

  read(ids) { return this.#changes.make("read", { ids: list(ids) }); }
  unread(ids) { return this.#changes.make("unread", { ids: list(ids) }); }
  archive(ids) { return this.#changes.make("archived", { ids: list(ids) }); }
  /** Out of the inbox until a time (a Date, or ms since 1970); then they come back unread. */
  snooze(ids, until) { return this.#known("snooze", "snoozed", { ids: list(ids), until: Number(until) }); }
  unsnooze(ids) { return this.#known("unsnooze", "unsnoozed", { ids: list(ids) }); }
  /** Everything up to the seq `through` was on the screen; by default what has arrived here. Says nothing of read. */
  async seen(through = this.store.seq) {
    if (this.can("seen") && through > this.store.seen) await this.#changes.make("seen", { through });
  }
  /** Whether the server knows an op, as "snooze"; false before the first connection. */
  can(op) { return this.store.seq !== null && this.store.ops.includes(op); }
  /** Everything that has arrived here so far; what arrives at the same moment stays unread. */
  async readAll() { if (this.store.seq !== null) await this.#changes.make("read", { through: this.store.seq }); }

  /** Loads the next older page of "all", "unread" or "archived" into the store. @returns {Promise<boolean>} whether there are more */
  older(status = "all") { return this.#pages.older(status); }

  /** What the user wants of each category and channel, and when; asked of the server each time. */
  preferences() { return this.#api.preferences(); }
  /** Changes any part of it; null takes a value away. @returns {Promise} what holds then */
  setPreferences(patch) { return this.#api.preferences(patch); }

  // -- connecting and closing----------------------------------------------------------------------

  async #begin(attempt = 0) {
    const run = this.#run;
    let token;
    try {
      token = await this.#token.get();
    } catch (error) {
      if (run !== this.#run) return;
      const retryIn = backoff(attempt, this.#env.random);
      this.#diagnosis.hear("offline", { retryIn, error });
      this.#env.setTimeout(() => run === this.#run && this.#begin(attempt + 1), retryIn);
      return;
    }
    if (!run || run !== this.#run || this.#tabs) return;
    if (!token) return this.#diagnosis.hear("unauthorized");
    const { sub } = claims(token);
    if (!this.#share || !sub) return this.#link.start();
    this.#tabs = new Tabs(`notifier ${this.#socket} ${sub}`, {
      lead: () => this.#link.start(),
      follow: () => this.#link.stop(),
      probe: () => this.#link.probe(),
      greeting: () => this.#greeting(),
      hear: (message) => this.#hear(message),
    }, this.#env);
    this.#tabs.join();
  }

  #pause() {
    this.#tabs?.part();
    this.#tabs = null;
    this.#link.stop();
  }

  #stop() {
    this.#run = this.#diagnosis.wrong = null;
    this.#listen("removeEventListener");
    this.#pause();
  }

  #listen(verb) {
    const { page, document } = this.#env;
    const hear = (target, types, listener) => { for (const type of types) target?.[verb](type, listener); };
    hear(page, ["online", "offline"], this.#doubt);
    hear(page, ["pageshow"], this.#back);
    hear(page, ["pagehide"], this.#away);
    hear(document, ["visibilitychange"], this.#doubt);
    hear(document, ["freeze"], this.#away);
    hear(document, ["resume"], this.#back);
  }

  /** The network or the page changed: look now whether the link is still open. */
  #doubt = () => {
    if (this.#tabs && !this.#tabs.leading) this.#tabs.ask("probe");
    else this.#link.probe();
  };
  /** A page that freezes gives up its socket and its lock: another tab takes over. */
  #away = () => this.#pause();
  #back = () => { if (this.#run && !this.#tabs) this.#begin(); };

  #tell(state, detail) {
    const over = state === "unauthorized" || state === "refused";
    if (over) this.#stop(); // and the next tab may try with its own token
    if (state === this.#state) return;
    this.#tabs?.post({ state, detail });
    this.#enter(state, detail);
  }

  #enter(state, detail) {
    this.#state = state;
    this.#emit("state", { state, ...detail });
    this.#preferred(); // what was missed may have been a change of preferences
  }

  // -- what is received ---------------------------------------------------------------------------

  #frame(frame) {
    if (frame.op === "welcome") this.#clock.said(frame.now);
    const result = this.store.apply(frame);
    if (frame.op === "error") this.#emit("problem", { code: frame.code, message: frame.message });
    if (result === "applied" && frame.op === "event") this.#happened(frame);
    if (result === "window") {
      this.#tabs?.post({ ...this.#greeting(), fresh: true });
      this.#preferred(); // nobody knows what happened in between
    }
    if (result === "applied" || result === "window") this.#changed();
    return result;
  }

  #happened(frame) {
    this.#tabs?.post({ frame });
    const { op, room, ...detail } = frame;
    detail.live = this.#state === "live";
    if (detail.live) this.#clock.happened(frame.timestamp);
    if (!OWN.has(frame.event)) this.#emit(frame.event, detail);
    this.#emit("event", detail);
    if (frame.event === "inbox.preferences") this.#preferred();
    void this.#pages.missing();
  }

  /** Listeners that show preferences read them again; while a replay runs, once at its end. */
  #preferred() { if (this.#state === "live") this.#emit("preferences"); }

  #greeting() {
    return { state: this.#state, ahead: this.#clock.ahead, wrong: this.misconfigured, snapshot: this.store.seq === null ? null : this.store.snapshot() };
  }

  /** A follower gets from the leader what the leader got from the server, under the same rules. */
  #hear({ frame, state, detail, snapshot, fresh, ahead, wrong }) {
    if (ahead !== undefined) this.#clock.ahead = ahead;
    if (frame) {
      const result = this.store.apply(frame);
      if (result === "gap") this.#tabs.ask();
      if (result !== "applied") return;
      this.#happened(frame);
      this.#changed();
    }
    if (snapshot && (fresh || this.store.seq === null || snapshot.seq > this.store.seq)) {
      this.store.restore(snapshot);
      this.#changed();
      this.#preferred();
    }
    if (state && state !== this.#state) {
      this.#diagnosis.follow(state, wrong ?? detail);
      this.#enter(state, detail);
    }
  }

  #changed() {
    this.#emit("change");
    const { unread } = this.store;
    if (unread === this.#said) return;
    this.#said = unread;
    this.#emit("unread", unread);
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  // -- what the parts ask -------------------------------------------------------------------------

  async #known(op, kind, target) {
    if (!this.can(op)) throw new RequestError(501, `unknown op: ${op}`);
    await this.#changes.make(kind, target);
  }

  #until(holds) {
    return new Promise((done, fail) => {
      const look = () => {
        const over = this.#run === null;
        if (!over && !holds()) return;
        this.removeEventListener("change", look);
        this.removeEventListener("state", look);
        if (over) fail(new RequestError(0, "closed"));
        else done();
      };
      this.addEventListener("change", look);
      this.addEventListener("state", look);
      look();
    });
  }
}
