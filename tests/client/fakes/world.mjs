/**
 * A browser made of plain objects: a clock that is moved by hand, Web Locks, BroadcastChannels, sockets
 * and HTTP, all in front of a model server. Time passes only in `pass`, so no test ever waits.
 */
import { ModelInbox, seeded } from "./model.mjs";

export class Clock {
  now = 1_800_000_000_000;
  #timers = [];
  #ids = 0;

  setTimeout = (action, delay = 0) => {
    const id = ++this.#ids;
    this.#timers.push({ id, at: this.now + Math.max(0, delay), action });
    return id;
  };
  clearTimeout = (id) => { this.#timers = this.#timers.filter((timer) => timer.id !== id); };

  /** Runs what falls due within `ms`, in order, with every promise settled in between. */
  async pass(ms = 0) {
    await settle();
    const end = this.now + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!next) break;
      this.clearTimeout(next.id);
      this.now = Math.max(this.now, next.at);
      next.action();
      await settle();
    }
    this.now = end;
  }

  /** The machine slept: the clock has moved, no timer has run. */
  sleep(ms) { this.now += ms; }
}

/** Lets every promise that can go on go on: a macrotask comes after all microtasks. */
export const settle = async () => { for (let i = 0; i < 6; i++) await new Promise((done) => setImmediate(done)); };

/** The server's end and the wire: what the gateway does for one user's sockets. */
export class Server {
  inbox = new ModelInbox();
  sockets = []; // all that were ever opened
  accepts = (token) => typeof token === "string" && !token.startsWith("bad");
  up = true; // whether a connection can be made at all
  mute = false; // the network swallows everything, in both directions
  refuse = null; // answers to HTTP: null, or a function of the request
  requests = [];
  preferences = { channels: {} }; // what GET /api/preferences answers; PATCH writes `channels`

  get open() { return this.sockets.filter((socket) => socket.readyState === 1); }
  get last() { return this.sockets.at(-1); }

  /** Something happens: `change(inbox)`, and every socket that said hello hears it. */
  happen(change) {
    const before = this.inbox.seq;
    const result = change(this.inbox);
    for (let seq = before + 1; seq <= this.inbox.seq; seq++) for (const socket of this.open) if (socket.greeted) socket.deliver(this.inbox.frame(seq));
    return result;
  }

  prefer({ channels }) {
    Object.assign(this.preferences.channels, channels);
    this.happen((inbox) => inbox.preferred());
  }

  hear(socket, frame) {
    if (frame.op === "hello") {
      if (!this.accepts(frame.token)) return socket.end(4401, "token");
      socket.greeted = true;
      for (const answer of this.inbox.hello(frame.after)) socket.deliver(answer);
    } else if (frame.op === "ping") socket.deliver({ op: "pong" });
    return undefined;
  }

  fetch = async (url, { method = "GET", headers, body } = {}) => {
    const request = { path: url.pathname, query: Object.fromEntries(url.searchParams), method, token: headers.Authorization.slice(7), body: body && JSON.parse(body) };
    this.requests.push(request);
    await new Promise((done) => setImmediate(done));
    if (!this.up) throw new TypeError("Failed to fetch");
    const answer = (status, value, more = {}) => ({ status, ok: status < 300, json: async () => value, headers: new Map(Object.entries(more)) });
    if (!this.accepts(request.token)) return answer(401, { title: "Unauthorized" });
    const refused = this.refuse?.(request);
    if (refused) return answer(refused.status, { title: "Refused", ...refused.body }, refused.headers);
    if (request.path.endsWith("/preferences")) {
      if (method === "PATCH") this.prefer(request.body);
      return answer(200, structuredClone(this.preferences));
    }
    if (method === "GET") {
      const { status, limit = 50, before = null } = request.query;
      return answer(200, this.inbox.page({ status, limit: Number(limit), before: before === null ? null : Number(before) }));
    }
    const move = { read: (inbox) => inbox.read(request.body), unread: (inbox) => inbox.unreadAgain(request.body.ids), archive: (inbox) => inbox.archive(request.body.ids), snooze: (inbox) => inbox.snooze(request.body.ids), seen: (inbox) => inbox.seen(request.body) }[url.pathname.split("/").at(-1)];
    return answer(200, this.happen(move));
  };
}

const socketClass = (server, clock, owner) => class FakeSocket {
  readyState = 0;
  sent = [];
  greeted = false;

  constructor(url, protocols) {
    Object.assign(this, { url, protocols, owner });
    server.sockets.push(this);
    clock.setTimeout(() => {
      if (this.readyState !== 0) return;
      if (!server.up) return void this.end(1006, "");
      if (server.mute) return;
      this.readyState = 1;
      this.onopen?.();
    });
  }

  send(text) {
    const frame = JSON.parse(text);
    this.sent.push(frame);
    if (!server.mute) server.hear(this, frame);
  }

  /** A frame arrives in a task of its own, unless the page is frozen: then it waits. */
  deliver(frame) {
    const data = JSON.stringify(frame);
    clock.setTimeout(() => owner.run(() => { if (!server.mute && this.readyState === 1) this.onmessage?.({ data }); }));
  }

  end(code, reason = "") {
    if (this.readyState === 3) return;
    this.readyState = 3;
    clock.setTimeout(() => owner.run(() => this.onclose?.({ code, reason })));
  }

  close() { this.readyState = 3; }
  ops(op) { return this.sent.filter((frame) => frame.op === op); }
};

/** Web Locks of one browser: one holder for each name, the others in line; `steal` and `signal`. */
class Locks {
  #held = new Map();
  #lines = new Map();

  request(name, { signal, steal } = {}, action) {
    return new Promise((resolve, reject) => {
      const entry = { action, resolve, reject };
      const line = this.#lines.get(name) ?? [];
      this.#lines.set(name, line);
      if (steal) {
        this.#held.get(name)?.reject(new DOMException("stolen", "AbortError"));
        this.#held.delete(name);
        line.unshift(entry);
      } else line.push(entry);
      signal?.addEventListener("abort", () => {
        const at = line.indexOf(entry);
        if (at < 0) return;
        line.splice(at, 1);
        reject(new DOMException("aborted", "AbortError"));
      });
      queueMicrotask(() => this.#next(name));
    });
  }

  async #next(name) {
    const line = this.#lines.get(name);
    if (this.#held.has(name) || !line.length) return;
    const entry = line.shift();
    this.#held.set(name, entry);
    const value = await entry.action({ name });
    if (this.#held.get(name) === entry) this.#held.delete(name);
    entry.resolve(value);
    this.#next(name);
  }
}

export class Browser {
  locks = new Locks();
  #channels = new Set();
  tabs = [];

  constructor(server, clock, seed = 1) {
    Object.assign(this, { server, clock, random: seeded(seed) });
  }

  /** What one tab hands to its client. `more` replaces parts, as `{ locks: undefined }`. */
  tab(more = {}) {
    const { clock, server } = this;
    const channels = this.#channels;
    const timers = new Set();
    const tab = {
      frozen: false,
      waiting: [],
      page: new EventTarget(),
      document: new EventTarget(),
      /** A frozen page runs nothing; what came meanwhile runs when it thaws. */
      run(task) { if (tab.frozen) tab.waiting.push(task); else task(); },
      thaw() { tab.frozen = false; for (const task of tab.waiting.splice(0)) task(); },
    };
    const env = {
      WebSocket: socketClass(server, clock, tab),
      BroadcastChannel: class {
        onmessage = null;
        constructor(name) { this.name = name; channels.add(this); }
        postMessage(data) {
          const copy = structuredClone(data);
          for (const other of channels) {
            if (other !== this && other.name === this.name) clock.setTimeout(() => other.run(() => other.onmessage?.({ data: copy })));
          }
        }
        run(task) { tab.run(() => { if (channels.has(this)) task(); }); }
        close() { channels.delete(this); }
      },
      locks: this.locks,
      page: tab.page,
      document: tab.document,
      here: "https://shop.example/page",
      fetch: server.fetch,
      setTimeout: (action, delay) => {
        const id = clock.setTimeout(() => tab.run(() => { if (timers.delete(id)) action(); }), delay);
        timers.add(id);
        return id;
      },
      clearTimeout: (id) => { timers.delete(id); clock.clearTimeout(id); }, // also one that waits for the thaw
      now: () => clock.now,
      random: this.random,
      device: () => "device-1",
      ...more,
    };
    this.tabs.push(tab);
    return Object.assign(tab, { env });
  }
}

/** A token as the server signs it, without the signature: the client only reads the claims. */
export function token(sub, { exp, iat, mark = "" } = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${mark}${part({ alg: "HS256" })}.${part({ sub, exp, iat })}.signature`;
}
