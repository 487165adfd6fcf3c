/**
 * One user's inbox as the server keeps it, in memory: the contract's sections 3, 5 and 6 in their
 * plainest form. The client is tested against it, and the shared vectors are written from it.
 */
const WINDOW = 50;

export class ModelInbox {
  log = []; // every change in full: {seq, event, data, unread, timestamp, …}
  entries = new Map(); // id -> {id, seq, event, data, from, timestamp, read_at, archived_at}
  badges = {};
  purged = 0;
  ops = null; // what `welcome` names; null: this server names none
  limit = 1000; // how far behind a replay may start
  #made = 0;

  constructor(user = "user-1", epoch = 1_800_000_000_000) {
    this.user = user;
    this.epoch = epoch;
  }

  get seq() { return this.log.length; }
  get unread() { return [...this.entries.values()].filter((entry) => entry.read_at === null).length; }

  alert(title, { event = "alert", inbox } = {}) {
    const id = `00000000-0000-7000-8000-${String(++this.#made).padStart(12, "0")}`;
    const data = { title, message: `${title}.`, type: "info" };
    if (inbox !== false) {
      const timestamp = this.epoch + this.seq + 1;
      this.entries.set(id, { id, seq: this.seq + 1, event, data, from: "system", timestamp, read_at: null, archived_at: null });
    }
    this.#append(event, data, { id, ...(inbox === false && { inbox }) });
    return id;
  }

  badge(type, count) {
    this.badges[type] = count;
    this.#append("badge", { type, count }, { id: `00000000-0000-7000-9000-${String(++this.#made).padStart(12, "0")}`, inbox: false });
  }

  read(target) { return this.#mark("inbox.read", target, (entry, at) => { entry.read_at ??= at; }); }
  unreadAgain(ids) { return this.#mark("inbox.unread", { ids }, (entry) => { entry.read_at = entry.archived_at = null; }); }
  /** Knows snoozing only as a server of now says it: the entry has left, and comes back as a new arrival. */
  snooze(ids) {
    for (const id of ids) this.entries.delete(id);
    this.#append("inbox.archived", { ids, why: "snoozed" });
    return { seq: this.seq, unread: this.unread };
  }
  back(id, title) {
    const entry = { id, seq: this.seq + 1, event: "alert", data: { title, message: `${title}.`, type: "info" }, from: "system", timestamp: this.epoch, read_at: null, archived_at: null };
    this.entries.set(id, entry);
    this.#append("alert", entry.data, { id, returned: true });
  }
  preferred() { this.#append("inbox.preferences", {}); }
  withdraw(id, why, by) {
    this.entries.delete(id);
    this.#append("inbox.archived", { ids: [id], why, ...(by && { by }) });
  }
  update(id, data, version) {
    Object.assign(this.entries.get(id), { data, version });
    this.#append("inbox.updated", { ids: [id], data, version });
  }
  seen({ through }) {
    this.#append("inbox.seen", { through });
    return { seq: this.seq, unread: this.unread };
  }

  archive(ids) {
    return this.#mark("inbox.archived", { ids }, (entry, at) => { entry.archived_at ??= at; entry.read_at ??= at; });
  }

  #mark(event, { ids, through }, move) {
    const at = this.epoch + this.seq + 1;
    const before = JSON.stringify([...this.entries.values()]);
    for (const entry of this.entries.values()) if (ids ? ids.includes(entry.id) : entry.seq <= through) move(entry, at);
    if (JSON.stringify([...this.entries.values()]) !== before) this.#append(event, ids ? { ids } : { through });
    return { seq: this.seq, unread: this.unread };
  }

  #append(event, data, more = {}) {
    const seq = this.seq + 1;
    this.log.push({ seq, event, ...more, room: `user:${this.user}`, from: "system", timestamp: this.epoch + seq, data, unread: this.unread });
  }

  frame(seq) { return { op: "event", ...this.log[seq - 1] }; }

  /** What the socket owes to `hello` with this `after`, up to and with `live`. */
  hello(after) {
    const { seq, unread } = this;
    const counts = () => ({ seq, unread, badges: { ...this.badges } });
    const welcome = { op: "welcome", user_id: this.user, ...counts(), ping_interval: 25, ...(this.ops && { ops: this.ops }) };
    const live = { op: "live", seq };
    if (after === null) return [welcome, ...this.#window(), live];
    if (after > seq || after < this.purged || seq - after > this.limit) {
      return [welcome, { op: "reset", reason: "behind", ...counts() }, ...this.#window(), live];
    }
    return [welcome, ...this.log.slice(after).map(({ seq: n }) => this.frame(n)), live];
  }

  #window() {
    return [...this.entries.values()]
      .filter((entry) => entry.read_at === null)
      .slice(-WINDOW)
      .map((entry) => ({ op: "item", room: `user:${this.user}`, ...structuredClone(entry) }));
  }

  page({ status = "all", limit = 50, before = null } = {}) {
    const keep = {
      all: () => true,
      unread: (entry) => entry.read_at === null,
      read: (entry) => entry.read_at !== null && entry.archived_at === null,
      archived: (entry) => entry.archived_at !== null,
    }[status];
    const found = [...this.entries.values()].reverse().filter((entry) => keep(entry) && (before === null || entry.seq < before));
    const items = structuredClone(found.slice(0, limit));
    return { items, next: found.length > limit ? items.at(-1).seq : null, seq: this.seq, unread: this.unread, badges: { ...this.badges } };
  }

  /** The state a client must have reached: entries that are not archived, newest first. */
  state(id) {
    const { read_at, archived_at } = this.entries.get(id);
    return archived_at !== null ? "archived" : read_at !== null ? "read" : "unread";
  }
}

/** A seeded source of chance (mulberry32), so that a failing run can be had again. */
export function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
