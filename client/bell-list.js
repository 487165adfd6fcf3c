/**
 * The list in the panel: one article for each entry, changed in place when its entry changes. The articles are in
 * groups (bell-groups.js).
 */
import { content, links, picture } from "./bell-content.js";
import { h, icon, say, set } from "./bell-dom.js";
import { Places } from "./bell-groups.js";
import { snoozer } from "./bell-snooze.js";

const LONG = 240; // characters from which a message is folded
const NOTHING = { items: [], starts: [] };
const BUDGET = 8; // ms for new rows, or for times, in one frame; many take several

/**
 * The first moment of the day under which each entry is shown, newest first. What was scheduled, or snoozed and is
 * back, is among what arrived at the same time, so no day is there twice.
 */
function days(items) {
  const starts = [];
  let begin = 0, end = 0; // most are of the same day as the one before
  for (let i = items.length - 1; i >= 0; i--) {
    const { timestamp } = items[i];
    if (!(timestamp >= begin && timestamp < end)) {
      begin = new Date(timestamp).setHours(0, 0, 0, 0);
      end = new Date(timestamp).setHours(24, 0, 0, 0);
    }
    starts[i] = Math.max(begin, starts[i + 1] ?? 0);
  }
  return starts;
}

export class List {
  #rows = new Map();
  #bell;
  #active = null;
  #made = 0;
  #days = new Map(); // the first moment of a day -> its heading
  #skipped = new WeakSet(); // groups that are out of sight
  #shown = NOTHING; // what was shown last, if it was all

  /** @param bell { words, now(), client, renderItem, read(id), unread(id), archive(id), restore(item), snooze(id, until), select(item, url, event) } */
  constructor(bell) {
    this.#bell = bell;
    this.element = h("div", { class: "list", part: "list" });
    this.element.addEventListener("focusin", (event) => this.#activate(event.target.closest("article")));
    this.element.addEventListener("contentvisibilityautostatechange", ({ target, skipped }) => this.#sighted(target, skipped), true);
  }

  /** @returns {boolean} whether all are shown; otherwise call again in the next frame */
  update(items) {
    const end = performance.now() + BUDGET;
    let whole = true;
    const starts = days(items);
    const { at, count } = this.#same(items, starts);
    const wanted = new Set([...items.slice(0, at), ...items.slice(at + count)].map(({ id }) => id));
    const before = count ? this.#shown.items.slice(count).map(({ id }) => id) : [...this.#rows.keys()];
    const gone = before.filter((id) => !wanted.has(id));
    const lost = this.#focused();
    const place = lost && gone.includes(lost.dataset.id) ? this.#articles().indexOf(lost) : -1;
    for (const id of gone) {
      this.#rows.get(id).element.remove();
      this.#rows.delete(id);
    }
    for (const [day, heading] of this.#days) {
      if (starts.includes(day)) continue;
      this.#days.delete(day);
      heading.remove();
    }
    const places = new Places(this.element);
    let day;
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      let row = this.#rows.get(item.id);
      if (!row && performance.now() > end) {
        whole = false;
        continue;
      }
      if (!row) this.#rows.set(item.id, (row = this.#make(item)));
      else if (row.item.version !== item.version) {
        const old = row.element;
        row = this.#remake(row, item);
        places.replaced(old, row.element);
      }
      else if (row.item !== item) this.#show(row, item);
      if (starts[i] !== day) places.put(this.#heading(day = starts[i]));
      places.put(row.element);
      if (i === at && count > 1) {
        i = at + count - 1;
        day = starts[i];
        places.pass(this.#rows.get(items[i].id).element);
      }
    }
    this.#shown = whole ? { items, starts } : NOTHING;
    if (!this.#active?.isConnected) this.#activate(this.#articles()[0]);
    // The entry that had the focus is gone: the one that took its place has it now.
    if (lost && !lost.isConnected) this.#focus(this.#articles()[Math.min(place, this.#rows.size - 1)]);
    return whole;
  }

  /**
   * The entries that are shown as they are to be: `count` from the first of those shown, and from `at` of the new ones.
   * Most changes are arrivals above all, or older ones below.
   */
  #same(items, starts) {
    const { items: old, starts: before } = this.#shown;
    const at = old.length ? items.indexOf(old[0]) : -1;
    if (at < 0) return { at: 0, count: 0 };
    let count = 0;
    while (count < old.length && items[at + count] === old[count] && starts[at + count] === before[count]) count++;
    return { at, count };
  }

  clear() {
    this.#shown = NOTHING;
    this.#rows.clear();
    this.#days.clear();
    this.element.replaceChildren();
  }

  #articles() { return [...this.element.querySelectorAll("article")]; }

  #heading(day) {
    let heading = this.#days.get(day);
    if (!heading) {
      heading = h("h3", { class: "day", part: "day", dir: "auto" }, this.#bell.words.day(day, this.#bell.now()));
      this.#days.set(day, heading);
    }
    return heading;
  }

  /**
   * Relative times tick, but for those out of sight: until they are laid out again, each change of the page would pay
   * for what has changed there.
   */
  tick(now) {
    const rows = [...this.#rows.values()].filter(({ element }) => !this.#skipped.has(element.parentElement));
    const some = () => {
      const end = performance.now() + BUDGET;
      for (let row; performance.now() < end && (row = rows.pop());) this.#time(row, now);
      if (rows.length) requestAnimationFrame(some);
    };
    some();
    for (const [day, heading] of this.#days) say(heading, this.#bell.words.day(day, now));
  }

  #time({ time, item }, now) { say(time, this.#bell.words.ago(item.timestamp, now)); }

  /** The browser lays a group out, or no longer. */
  #sighted(group, skipped) {
    if (skipped) return void this.#skipped.add(group);
    if (!this.#skipped.delete(group)) return;
    const now = this.#bell.now();
    for (const { dataset } of group.children) {
      const row = this.#rows.get(dataset.id);
      if (row) this.#time(row, now);
    }
  }

  /** @param step a number of entries, or "first" or "last" */
  move(step) {
    const rows = this.#articles();
    const at = rows.indexOf(this.#focused());
    const to = step === "first" ? 0 : step === "last" ? rows.length - 1 : at < 0 ? 0 : at + step;
    this.#focus(rows[Math.max(0, Math.min(rows.length - 1, to))]);
  }

  archiveFocused() {
    const focused = this.#focused();
    if (focused) this.#bell.archive(focused.dataset.id);
    return Boolean(focused);
  }

  /** Moves the focus to an entry, if it is shown. */
  focus(id) { this.#focus(this.#rows.get(id)?.element); }

  #focused() { return this.element.getRootNode().activeElement?.closest("article") ?? null; }

  #focus(article) {
    article?.focus();
    article?.scrollIntoView({ block: "nearest" });
  }

  /** One entry at a time is in the tab order, with its controls: Tab leaves the list, arrows walk it. */
  #activate(article) {
    if (!article || article === this.#active) return;
    for (const [element, index] of [[this.#active, -1], [article, 0]]) {
      if (element) for (const part of [element, ...element.querySelectorAll("a, button")]) part.tabIndex = index;
    }
    this.#active = article;
  }

  /** What an entry says was changed by its sender. */
  #remake(before, item) {
    const row = this.#make(item);
    const focused = before.element === this.#focused();
    this.#rows.set(item.id, row);
    before.element.replaceWith(row.element);
    if (before.element === this.#active) this.#activate(row.element);
    if (focused) this.#focus(row.element);
    return row;
  }

  #make(item) {
    const { words } = this.#bell;
    const { title, message, type, image, actions } = content(item);
    const n = ++this.#made;
    const row = { item };
    const about = (key) => words.say("about", { action: words.say(key), title });
    row.about = about;
    row.mark = h("span", { class: "hidden" });
    row.time = h("time", { part: "time", dir: "auto", datetime: new Date(item.timestamp).toISOString(), title: words.moment(item.timestamp) }, words.ago(item.timestamp, this.#bell.now()));
    const tool = (part, onclick, more, ...signs) => h("button", { type: "button", part, class: "tool", tabindex: -1, onclick, ...more }, ...signs);
    row.toggle = tool("toggle", () => this.#flip(row));
    row.more = h("span", { part: "more", dir: "auto" });
    const archived = item.archived_at !== null;
    const later = !archived && this.#bell.client?.can?.("snooze") && snoozer(this.#bell, item.id, about("snooze"), n);
    const text = h("p", { id: `m${n}`, part: "message", class: "message", dir: "auto" }, message);
    row.element = h("article", { part: "item", class: "item", "data-id": item.id, "data-type": type, tabindex: -1, "aria-labelledby": `k${n} t${n}`, "aria-describedby": `m${n}` },
      h("span", { class: "sign", part: "icon" }, icon(type)),
      row.body = h("div", { class: "body" },
        h("p", { class: "meta" }, h("span", { id: `k${n}` }, h("span", { part: "type", class: "type", dir: "auto" }, words.type(type)), row.mark), row.more, row.time),
        h("p", { id: `t${n}`, part: "item-title", class: "title", dir: "auto" }, title),
        text,
        message.length > LONG || message.split("\n", 5).length > 4 ? this.#fold(text) : null,
        picture(image),
        links(actions, (url, event) => this.#bell.select(row.item, url, event), { tabindex: -1 }),
        later ? later.menu : null),
      h("div", { class: "tools" }, ...(archived
        ? [tool("restore", () => this.#bell.restore(row.item), { "aria-label": about("restore"), title: words.say("restore") }, icon("inbox"))]
        : [row.toggle, later ? later.button : null, tool("archive", () => this.#bell.archive(item.id), { "aria-label": about("archive"), title: words.say("archive") }, icon("archive"))])));
    row.element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target !== row.element) return;
      event.preventDefault();
      (row.element.querySelector("a") ?? (archived ? null : row.toggle))?.click();
    });
    this.#show(row, item);
    return row;
  }

  #fold(text) {
    text.classList.add("folded");
    const { words } = this.#bell;
    return h("button", { type: "button", class: "fold", part: "fold", dir: "auto", tabindex: -1, "aria-expanded": "false", "aria-controls": text.id, onclick: ({ currentTarget }) => {
      const open = !text.classList.toggle("folded");
      set(currentTarget, { "aria-expanded": String(open) });
      say(currentTarget, words.say(open ? "less" : "more"));
    } }, words.say("more"));
  }

  #show(row, item) {
    const { words } = this.#bell;
    row.item = item;
    this.#render(row);
    const unread = item.read_at === null;
    const key = unread ? "markRead" : "markUnread";
    row.element.toggleAttribute("data-unread", unread);
    const more = [item.version > 1 && words.say("updated"), item.collapsed > 1 && words.say("collapsed", { n: item.collapsed })];
    say(row.more, more.filter(Boolean).join(", "));
    say(row.mark, unread ? `, ${words.say("isUnread")}` : "");
    set(row.toggle, { "aria-label": row.about(key), title: words.say(key) });
    row.toggle.replaceChildren(icon(unread ? "check" : "dot"));
  }

  /** The page's own way to show an entry, instead of ours; called again whenever the entry changes. */
  #render(row) {
    const { renderItem } = this.#bell;
    if (!renderItem) return;
    let node;
    try {
      node = renderItem(row.item);
    } catch (error) {
      reportError(error);
    }
    if (!(node instanceof Node)) return;
    const own = h("div", { class: "own", part: "own" }, node);
    for (const part of own.querySelectorAll("a, button")) part.tabIndex = row.element === this.#active ? 0 : -1;
    if (!row.own) row.body.querySelectorAll(":scope > :not(.menu)").forEach((part) => { part.hidden = true; });
    if (row.own) row.own.replaceWith(own);
    else row.body.prepend(own);
    row.own = own;
  }

  #flip({ item }) {
    if (item.read_at === null) this.#bell.read(item.id);
    else this.#bell.unread(item.id);
  }

}
