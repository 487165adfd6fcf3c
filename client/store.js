/**
 * The state of one user's inbox, built from frames alone.
 * It uses no DOM, socket, clock or storage, so every rule can be tested with data.
 *
 * Three layers, from the bottom:
 *   base     the server's truth as of `seq`; only frames and pages change it
 *   staged   a window that is still arriving; it replaces the base in one step at `live`,
 *            so a connection that is cut in the middle leaves the earlier state
 *   pending  this device's own changes that the server has not confirmed yet; they are
 *            applied to the base when it is read, so dropping one undoes it
 */
import { MOVES, awake, counts, covers, toChange, toItem, toldBy } from "./moves.js";

/** How many entries are held until somebody scrolls; `older()` loads older ones again. */
const KEEP = 500;
/** How many changes are kept, to update a page that was read before they happened. */
const RECENT = 256;

/** What a server knows that names no ops. */
const FIRST_OPS = ["hello", "ack", "read", "unread", "archive", "auth", "ping"];
/** Unseen entries are counted up to here. */
const MANY = 100;

const blank = ({ seq = null, unread = 0, badges = {}, seen = 0, unseen = 0, ops = FIRST_OPS } = {}) =>
  ({ seq, unread, badges: { ...badges }, seen, unseen, ops, items: new Map() });

/** Badges and `define_event(…, inbox=False)` take a seq like the others but are not entries of the inbox. */
export const isEntry = (frame) => Boolean(frame.id) && frame.event !== "badge" && frame.inbox !== false;

export class Store {
  #base = blank();
  #staged = null;
  #pending = [];
  #recent = [];
  #recentFrom = 0; // changes with a higher seq than this are all in #recent
  #counted = 0; // the counts are as of this seq already, ahead of a replay that is still running
  #ahead = new Map(); // id -> seq of the page it was read from, while the page is newer than the socket's state
  #pages = {}; // status -> where its next older page starts; null: the oldest is held
  #keep;
  #room; // how many entries may be held: `keep`, and more after somebody has scrolled
  #view = null;

  constructor({ after = null, keep = KEEP } = {}) {
    this.#base.seq = after;
    this.#keep = this.#room = keep;
  }

  /** The last seq seen: what `hello` sends as `after`. Null before the first whole window. */
  get seq() { return this.#base.seq; }
  /** The exact number of unread entries, including those not held here. */
  get unread() { return this.#pending.length ? this.#look().unread : this.#base.unread; }
  /** The entries held that are not archived, newest first. Unchanged entries keep their identity. */
  get items() { return this.#look().items; }
  get badges() { return this.#base.badges; }
  /** Which ops the server knows; a client uses no others. */
  get ops() { return this.#base.ops; }
  /** Everything up to this seq was on the screen. */
  get seen() { return this.#pending.reduce((most, { kind, through }) => (kind === "seen" ? Math.max(most, through) : most), this.#base.seen); }
  /** How many unread entries are beyond that, 100 at most. */
  get unseen() {
    const held = [...this.#base.items.values()].map((item) => this.#shown(item)).filter(counts);
    const beyond = held.filter(({ seq }) => seq > this.seen).length;
    // The newest are held: with one below the watermark among them, or with all, none beyond it is missing.
    const all = beyond < held.length || held.length >= this.unread;
    return Math.min(MANY, all ? beyond : Math.max(beyond, Math.min(this.unread, this.#base.unseen)));
  }
  /** How many of the entries held are archived. */
  get archived() { return this.archivedItems.length; }
  /** The archived entries held, newest first. */
  get archivedItems() { return this.#look().archived; }
  /** Where the next older page starts (`before`) for each status that was loaded; null at its end. Another object after a reset. */
  get pages() { return this.#pages; }
  /** Where the next older page of the whole inbox starts, or null for the head. */
  get cursor() { return this.#pages.all ?? null; }
  /** True when the oldest entry of the inbox is held: nothing is left to load. */
  get complete() { return this.#pages.all === null; }
  /** Set when a change named entries that should show now and are not held; the code that fetches them clears it. */
  missing = false;

  /** An entry as it shows now, or undefined when it is not held (archived ones are). */
  get(id) { const item = this.#base.items.get(id); return item && this.#shown(item); }

  /**
   * Takes one frame of the server.
   * @returns {"applied" | "window" | "ignored" | "gap"} "window": everything held was replaced;
   *   "gap": frames are missing, reconnect with `after: seq`.
   */
  apply(frame) {
    const base = this.#base;
    switch (frame.op) {
      case "welcome":
        // What was staged for the same seq is from the same moment and stays valid.
        base.ops = frame.ops ?? FIRST_OPS;
        if (this.#staged?.seq !== frame.seq) this.#staged = base.seq === null ? blank(frame) : null;
        if (base.seq !== null && frame.seq >= base.seq) this.#count(frame);
        break;
      case "reset":
        if (this.#staged?.seq !== frame.seq) this.#staged = blank({ ...frame, ops: base.ops });
        break;
      case "item":
        if (this.#staged) this.#staged.items.set(frame.id, toItem(frame));
        else if (base.seq === null) return "ignored";
        else this.merge({ items: [frame], seq: this.#counted });
        break;
      case "live":
        if (this.#staged) {
          this.#swap();
          return "window";
        }
        if (base.seq === null) return "ignored";
        if (frame.seq > base.seq) return "gap";
        break;
      case "event":
        return this.#event(frame);
      default:
        return "ignored";
    }
    this.#view = null;
    return "applied";
  }

  #event(frame) {
    const base = this.#base;
    if (base.seq === null) return "gap";
    if (frame.seq <= base.seq) return "ignored";
    if (frame.seq > base.seq + 1) return "gap";
    base.seq = frame.seq;
    this.#staged = null; // a replay after all
    const change = toldBy(frame);
    if (change?.kind === "seen") base.seen = Math.max(base.seen, change.through);
    else if (change) {
      this.#recent.push([frame.seq, change]);
      if (this.#recent.length > RECENT) this.#recentFrom = this.#recent.shift()[0];
      this.#change(change, frame.seq);
    } else if (isEntry(frame)) {
      // One that was snoozed has come back at another place.
      const back = frame.returned && !(this.#ahead.get(frame.id) >= frame.seq);
      if (back || !base.items.has(frame.id)) base.items.set(frame.id, toItem(frame));
      if (base.items.size > this.#room + 64) this.#trim(); // in groups, to avoid a sort for every arrival
    }
    if (frame.seq > this.#counted) {
      if (frame.event === "badge") base.badges = { ...base.badges, [frame.data.type]: frame.data.count };
      base.unread = frame.unread ?? base.unread;
    }
    this.#forget();
    this.#view = null;
    return "applied";
  }

  #change(change, seq) {
    const { items } = this.#base;
    for (const id of change.ids ?? items.keys()) {
      const item = items.get(id);
      if (!item) {
        this.missing ||= change.kind === "unread";
        if (change.kind === "archived") delete this.#pages.archived; // read from its head again
      } else if (covers(change, item) && !(this.#ahead.get(id) >= seq)) {
        const moved = MOVES[change.kind](item, change);
        if (moved) items.set(id, moved);
        else items.delete(id);
      }
    }
  }

  /** The counts of `welcome` are those at the head, so earlier events must not change them. */
  #count({ seq, unread, badges, seen = 0, unseen = 0 }) {
    this.#counted = seq;
    Object.assign(this.#base, { unread, badges: { ...badges }, seen, unseen });
  }

  #swap() {
    this.#base = this.#staged;
    this.#staged = null;
    this.#recent = [];
    this.#recentFrom = this.#counted = this.#base.seq;
    this.#ahead.clear();
    this.#pages = {};
    this.#room = this.#keep;
    this.#view = null;
  }

  /**
   * Takes a page of `GET /api/inbox`: `items`, and the `seq` they are as of. A page of a `status`
   * also moves where its next one starts. False when the page is too old to be brought up to date.
   */
  merge(page, { status } = {}) {
    const { seq, items } = this.#base;
    if (seq === null || page.seq < this.#recentFrom) return false;
    for (const raw of page.items) {
      let item = toItem(raw);
      if (this.#ahead.get(item.id) > page.seq) continue; // already known in a newer state
      if (page.seq > seq) this.#ahead.set(item.id, page.seq);
      for (const [changed, change] of this.#recent) {
        if (item && changed > page.seq && covers(change, item)) item = MOVES[change.kind](item, change);
      }
      // What is gone since then stays gone; what has come back since then stays where it is now.
      if (item && !(items.get(raw.id)?.seq > item.seq)) items.set(item.id, item);
    }
    if (status) {
      this.#pages[status] = page.next;
      this.#room = Math.max(this.#room, items.size + this.#keep);
    }
    this.#view = null;
    return true;
  }

  /** Applies a change of this device. Undo it with `drop`, confirm it with `settle`. */
  begin(kind, target) {
    const op = { ...toChange(kind, target), done: null };
    this.#pending.push(op);
    this.#view = null;
    return op;
  }

  /** The server has accepted the change as of `seq`: it stays pending until the log has reached it. */
  settle(op, seq) { op.done = seq; this.#forget(); this.#view = null; }

  /** The server has refused the change: the state returns to the server's. */
  drop(op) { this.#pending = this.#pending.filter((other) => other !== op); this.#view = null; }

  #forget() {
    const { seq } = this.#base;
    if (this.#pending.length) this.#pending = this.#pending.filter(({ done }) => done === null || done > seq);
    for (const [id, page] of this.#ahead) if (page <= seq) this.#ahead.delete(id);
  }

  #trim() {
    const oldest = [...this.#base.items.values()].sort((a, b) => a.seq - b.seq);
    const cut = oldest.length - this.#room;
    for (const item of oldest.slice(0, cut)) this.#base.items.delete(item.id);
    // Everything newer than the cursor is complete, so it moves to the oldest held entry.
    if (this.#pages.all !== undefined) this.#pages.all = Math.max(this.#pages.all ?? 0, oldest[cut].seq);
  }

  #shown(item) {
    for (const op of this.#pending) if (covers(op, item)) item = MOVES[op.kind](item, { ...op, at: item.timestamp });
    return item;
  }

  #look() {
    if (this.#view) return this.#view;
    const { items, unread } = this.#base;
    const all = [...items.values()].sort((a, b) => b.seq - a.seq);
    const shown = this.#pending.length ? all.map((item) => this.#shown(item)) : all;
    let count = unread;
    if (this.#pending.length) {
      // Entries that are not held are older than those that are: a mark through a held one covers all of them.
      const lowest = all.at(-1)?.seq ?? 0;
      if (this.#pending.some(({ kind, through }) => kind === "read" && through >= lowest)) count = all.filter(counts).length;
      shown.forEach((item, i) => { count += counts(item) - counts(all[i]); });
    }
    const kept = (archived) => shown.filter((item) => (item.archived_at !== null) === archived);
    return (this.#view = { unread: Math.max(0, count), items: kept(false).filter(awake), archived: kept(true) });
  }

  /** Everything that a store in another tab needs to continue from here, as plain data. */
  snapshot() {
    const { items, ...base } = this.#base;
    return { ...base, items: [...items.values()], counted: this.#counted, cursor: this.cursor, end: this.complete };
  }

  restore({ items, counted, cursor, end, ...base }) {
    this.#staged = { ...blank(base), items: new Map(items.map((item) => [item.id, item])) };
    this.#swap();
    this.#counted = counted;
    if (end || cursor !== null) this.#pages.all = end ? null : cursor;
    this.#room = Math.max(this.#keep, items.length);
  }
}
