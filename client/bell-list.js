/** The list in the panel: one article for each entry, changed in place when its entry changes. */
import { h, icon, say, set } from "./bell-dom.js";
import { snoozer } from "./bell-snooze.js";
import { safeUrl } from "./url.js";

const LONG = 240; // characters from which a message is folded
const BUDGET = 8; // ms for new rows in one frame; a burst takes several

/** What is shown of an entry, whatever the application put into it: texts, a known type, a safe action. */
export function content({ event, data }) {
  const { title, message, type, action } = Object(data);
  const text = (value, otherwise = "") => (typeof value === "string" ? value : otherwise);
  const url = safeUrl(action?.url);
  return {
    title: text(title, event),
    message: text(message),
    type: ["info", "success", "warning", "error"].includes(type) ? type : "info",
    action: url && text(action.label) ? { url, label: action.label } : null,
  };
}

/** The action as a real link: it can be opened in a new tab, copied, and read by every tool. */
export const link = (action, props) => h("a", { part: "action", class: "action", dir: "auto", href: action.url, ...props }, action.label);

export class List {
  #rows = new Map();
  #bell;
  #active = null;
  #made = 0;

  /** @param bell { words, now(), client, read(id), unread(id), archive(id), snooze(id, until) } */
  constructor(bell) {
    this.#bell = bell;
    this.element = h("div", { role: "feed", class: "feed", part: "list" });
    this.element.addEventListener("focusin", (event) => this.#activate(event.target.closest("article")));
  }

  /** @returns {boolean} whether all are shown; otherwise call again in the next frame */
  update(items) {
    const end = performance.now() + BUDGET;
    let whole = true;
    const wanted = new Set(items.map(({ id }) => id));
    const lost = this.#focused();
    const place = lost ? [...this.element.children].indexOf(lost) : -1;
    for (const [id, { element }] of this.#rows) {
      if (wanted.has(id)) continue;
      this.#rows.delete(id);
      element.remove();
    }
    let next = this.element.firstElementChild;
    for (const item of items) {
      let row = this.#rows.get(item.id);
      if (!row && performance.now() > end) {
        whole = false;
        continue;
      }
      if (!row) this.#rows.set(item.id, (row = this.#make(item)));
      else if (row.item.version !== item.version) {
        const isNext = row.element === next;
        row = this.#remake(row, item);
        if (isNext) next = row.element;
      }
      else if (row.item !== item) this.#show(row, item);
      if (row.element === next) next = next.nextElementSibling;
      else this.element.insertBefore(row.element, next);
    }
    if (!this.#active?.isConnected) this.#activate(this.element.firstElementChild);
    // The entry that had the focus is gone: the one that took its place has it now.
    if (lost && !lost.isConnected) this.#focus(this.element.children[Math.min(place, this.#rows.size - 1)]);
    return whole;
  }

  clear() { this.#rows.clear(); this.element.replaceChildren(); }

  /** Relative times tick. */
  tick(now) {
    for (const { time, item } of this.#rows.values()) say(time, this.#bell.words.ago(item.timestamp, now));
  }

  /** @param step a number of entries, or "first" or "last" */
  move(step) {
    const rows = [...this.element.children];
    const at = rows.indexOf(this.#focused());
    const to = step === "first" ? 0 : step === "last" ? rows.length - 1 : at < 0 ? 0 : at + step;
    this.#focus(rows[Math.max(0, Math.min(rows.length - 1, to))]);
  }

  archiveFocused() {
    const focused = this.#focused();
    if (focused) this.#bell.archive(focused.dataset.id);
    return Boolean(focused);
  }

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
    const { title, message, type, action } = content(item);
    const n = ++this.#made;
    const row = { item };
    const about = (key) => words.say("about", { action: words.say(key), title });
    row.about = about;
    row.mark = h("span", { class: "hidden" });
    row.time = h("time", { part: "time", dir: "auto", datetime: new Date(item.timestamp).toISOString(), title: words.moment(item.timestamp) }, words.ago(item.timestamp, this.#bell.now()));
    row.toggle = h("button", { type: "button", part: "toggle", class: "tool", tabindex: -1, onclick: () => this.#flip(row) });
    row.more = h("span", { part: "more", dir: "auto" });
    const later = this.#bell.client?.can?.("snooze") && snoozer(this.#bell, item.id, about("snooze"), n);
    const text = h("p", { id: `m${n}`, part: "message", class: "message", dir: "auto" }, message);
    row.element = h("article", { part: "item", class: "item", "data-id": item.id, "data-type": type, tabindex: -1, "aria-labelledby": `k${n} t${n}`, "aria-describedby": `m${n}` },
      h("span", { class: "sign", part: "icon" }, icon(type)),
      h("div", { class: "body" },
        h("p", { class: "meta" }, h("span", { id: `k${n}` }, h("span", { part: "type", class: "type", dir: "auto" }, words.type(type)), row.mark), row.more, row.time),
        h("p", { id: `t${n}`, part: "item-title", class: "title", dir: "auto" }, title),
        text,
        message.length > LONG || message.split("\n", 5).length > 4 ? this.#fold(text) : null,
        action && link(action, { tabindex: -1, onclick: () => this.#read(row) }),
        later ? later.menu : null),
      h("div", { class: "tools" },
        row.toggle,
        later ? later.button : null,
        h("button", { type: "button", part: "archive", class: "tool", tabindex: -1, "aria-label": about("archive"), title: words.say("archive"), onclick: () => this.#bell.archive(item.id) }, icon("archive"))));
    row.element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target !== row.element) return;
      event.preventDefault();
      (row.element.querySelector("a") ?? row.toggle).click();
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
    const unread = item.read_at === null;
    const key = unread ? "markRead" : "markUnread";
    row.element.toggleAttribute("data-unread", unread);
    const more = [item.version > 1 && words.say("updated"), item.collapsed > 1 && words.say("collapsed", { n: item.collapsed })];
    say(row.more, more.filter(Boolean).join(", "));
    say(row.mark, unread ? `, ${words.say("isUnread")}` : "");
    set(row.toggle, { "aria-label": row.about(key), title: words.say(key) });
    row.toggle.replaceChildren(icon(unread ? "check" : "dot"));
  }

  #flip({ item }) {
    if (item.read_at === null) this.#bell.read(item.id);
    else this.#bell.unread(item.id);
  }

  #read({ item }) { if (item.read_at === null) this.#bell.read(item.id); }
}
