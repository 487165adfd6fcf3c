/** The panel: heading, settings, a note about the connection, the tabs, the list, and what is below it. */
import { blocked, possible, want, wanted } from "./bell-alerts.js";
import { content } from "./bell-content.js";
import { h, icon, popover, say, set } from "./bell-dom.js";
import { List } from "./bell-list.js";
import { PreferencesButton } from "./bell-preferences-button.js";
import { TABS, complete, tabs } from "./bell-tabs.js";
import { Undo } from "./bell-undo.js";

/** Rows in the page at first; more as the user scrolls. A burst of thousands then costs what a hundred cost. */
const ROWS = 100;

export class Panel {
  #bell;
  #list;
  #parts = {};
  #watch;
  #rows = ROWS;
  #loading = false;
  #failed = false;
  #noteTimer;
  #ahead = 0;
  #preferences;
  #tabs;
  #tab = "all";
  #undo;
  #refocus = null;

  /** @param bell { words, client, renderItem, place, read, readAll, unread, archive, restore, snooze, select, close, draw } */
  constructor(bell) {
    this.#bell = bell;
    this.#list = new List(bell);
    const { words } = bell;
    const tool = (name, key, onclick, more) =>
      h("button", { type: "button", class: "tool", part: `tool ${name}`, "aria-label": words.say(key), title: words.say(key), onclick, ...more }, icon(name));
    const p = this.#parts;
    p.sum = h("bdi");
    p.all = tool("checks", "markAll", () => { if (bell.client?.store.unread) bell.readAll(); });
    p.gear = tool("settings", "settings", () => this.#settings(), { "aria-expanded": "false", "aria-controls": "options" });
    p.options = h("div", { id: "options", class: "options", part: "options", role: "group", "aria-label": words.say("settings"), hidden: true });
    p.noteText = h("bdi");
    p.note = h("p", { class: "note", part: "note", role: "status", "data-none": true }, p.noteText);
    p.blank = h("div", { class: "blank", part: "empty" });
    p.foot = h("div", { class: "foot", part: "foot" });
    p.scroll = h("div", { id: "entries", class: "scroll", part: "scroll", role: "tabpanel", "aria-labelledby": "tab-all" }, p.blank, this.#list.element, p.foot);
    this.#tabs = tabs(words, (name) => this.#choose(name));
    this.#tabs.choose(this.#tab);
    this.#undo = new Undo(bell, (id) => {
      this.#refocus = id;
      this.element.focus({ preventScroll: true });
    });
    this.element = h("section", { id: "panel", class: "panel", part: "panel", role: "dialog", "aria-labelledby": "heading", popover: "manual", tabindex: -1, hidden: true, onkeydown: (event) => this.#key(event) },
      h("div", { class: "head", part: "header" }, h("slot", { name: "header" }, h("h2", { id: "heading", dir: "auto" }, words.say("title"))), h("span", { class: "sum", part: "sum" }, p.sum), p.all, p.gear, tool("close", "close", () => bell.close())),
      p.options, p.note, this.#tabs.element, p.scroll, this.#undo.element);
    this.#preferences = new PreferencesButton(bell, this.element, () => this.note("failed"));
    this.element.append(this.#preferences.element);
    this.#watch = new IntersectionObserver((sights) => {
      // Several may come at once, the newest last.
      if (sights.at(-1).isIntersecting && !this.#failed) this.#more();
    }, { root: p.scroll, rootMargin: "400px" });
  }

  get open() { return !this.element.hidden; }

  show() {
    this.element.hidden = false;
    popover(this.element, true);
    this.#failed = false;
    this.#bell.draw();
    this.element.focus({ preventScroll: true });
    this.#watch.observe(this.#parts.foot);
  }

  hide() {
    this.#preferences.close();
    this.#watch.disconnect();
    popover(this.element, false);
    this.element.hidden = true;
    this.#rows = ROWS;
  }

  /** The connection is back: so may be what could not be loaded. */
  again() { if (this.open && this.#failed) this.#load(); }
  reset() {
    this.#preferences.close();
    this.#list.clear();
    this.#undo.clear();
    this.#failed = false;
  }

  /** The page shows entries in another way now. */
  redraw() { this.#list.clear(); this.#bell.draw(); }
  archived(item) { this.#undo.add(item, content(item).title); }
  notArchived(id) { this.#undo.forget(id); }

  #choose(name) {
    if (name === this.#tab) return;
    this.#tab = name;
    this.#tabs.choose(name);
    const { scroll } = this.#parts;
    set(scroll, { "aria-labelledby": `tab-${name}` });
    scroll.scrollTop = 0;
    this.#rows = ROWS;
    this.#failed = false;
    this.#list.clear();
    if (!this.update()) this.#bell.draw(); // the rest of the rows in the next frame
    this.#look();
  }

  #held() { return this.#bell.client ? TABS[this.#tab].items(this.#bell.client.store) : []; }
  tick(now) { this.#list.tick(now); }

  /** What time it is on the server has become known, or known better. */
  #tickAnew() {
    const now = this.#bell.now();
    const ahead = now - Date.now();
    if (Math.abs(ahead - this.#ahead) > 5000) this.tick(now);
    this.#ahead = ahead;
  }

  /** Shows what the client holds now. @returns {boolean} whether all of it is shown */
  update() {
    const { words, client } = this.#bell;
    const { sum, all, blank, foot } = this.#parts;
    const held = this.#held();
    const items = held.slice(0, this.#rows);
    const unread = client?.store.unread ?? 0;
    const state = client?.state ?? "connecting";
    const known = client && client.store.seq !== null;
    say(sum, known ? words.say("unread", { n: unread }) : "");
    // Not `disabled`: a button that is disabled while it has the focus loses it to the page.
    set(all, { "aria-disabled": unread === 0 && "true" });
    const focused = this.#focused();
    const whole = this.#list.update(items);
    if (this.#refocus && focused) this.#list.focus(this.#refocus);
    this.#refocus = null;
    const ended = known && complete(this.#tab, client.store);
    this.#tickAnew();
    this.#preferences.update();
    this.#list.element.hidden = items.length === 0;
    this.#connection(state, known);
    const key = ["unauthorized", "refused", "misconfigured", "offline"].includes(state) && state;
    const text = (name, values) => h("span", { dir: "auto" }, words.say(name, values));
    const strong = (name) => h("strong", { dir: "auto" }, words.say(name, client?.misconfigured ?? {}));
    if (items.length) this.#fill(blank);
    else if (!known && key) this.#fill(blank, key, icon("offline"), strong(key));
    else if (!known || !(ended || this.#failed)) this.#fill(blank, "loading", h("span", { class: "wait" }), text("loading"));
    else if (!this.#failed) {
      const name = { unread: "allRead", archived: "noneArchived" }[this.#tab] ?? (client.store.archived ? "allArchived" : "empty");
      const picture = { unread: "checks", all: client.store.archived ? "archive" : "bell" }[this.#tab] ?? "archive";
      this.#fill(blank, name, h("slot", { name: this.#tab === "all" ? "empty" : `empty-${this.#tab}` }, icon(picture), strong(name), text(`${name}Hint`)));
    }
    else this.#fill(blank);
    if (this.#failed) this.#fill(foot, "failed", text("failed"), h("button", { type: "button", part: "retry", dir: "auto", onclick: () => this.#load() }, words.say("retry")));
    else if (!items.length || !known) this.#fill(foot);
    else if (ended && items.length === held.length) this.#fill(foot, "end", text("end"));
    else this.#fill(foot, "loading", h("span", { class: "wait" }), h("span", { class: "hidden" }, words.say("loading")));
    // What had the focus may be gone (the last entry, "Try again"): Esc and the arrows must go on working.
    if (focused && !this.#focused()) this.element.focus({ preventScroll: true });
    set(this.#list.element, { "aria-busy": String(this.#loading || !whole), "aria-labelledby": "heading" });
    return whole;
  }

  #focused() {
    const { activeElement } = this.element.getRootNode();
    return this.element.contains(activeElement);
  }

  /** A passing word of its own, as when a change was refused. */
  note(key) {
    clearTimeout(this.#noteTimer);
    this.#say(key, true);
    this.#noteTimer = setTimeout(() => { this.#noteTimer = null; this.#bell.draw(); }, 6000);
  }

  #connection(state, known) {
    if (this.#noteTimer) return;
    this.#say(state === "live" || state === "closed" || !known ? null : state, state !== "connecting");
  }

  #say(key, bad) {
    const { note, noteText } = this.#parts;
    say(noteText, key ? this.#bell.words.say(key, this.#bell.client?.misconfigured ?? {}) : "");
    set(note, { "data-none": !key, "data-bad": Boolean(bad) });
  }

  /** Changes a part only when it shows something else, so that nothing flickers or speaks twice. */
  #fill(part, name = "", ...children) {
    if (part.dataset.shows !== name) part.replaceChildren(...children);
    part.dataset.shows = name;
    part.hidden = name === "" && part !== this.#parts.foot; // the foot stays: the end of the list is watched by it
  }

  /** The end of the list is near: show more of what is held, or load what is not. */
  #more() {
    if (this.#rows >= this.#held().length) return void this.#load();
    this.#rows += ROWS;
    this.#bell.draw();
    this.#look();
  }

  /** A page that did not fill the panel leaves its end in sight, and an observer tells only of changes. */
  #look() {
    this.#watch.unobserve(this.#parts.foot);
    this.#watch.observe(this.#parts.foot);
  }

  async #load() {
    const { client } = this.#bell;
    if (this.#loading || !client || (client.store.seq !== null && complete(this.#tab, client.store))) return;
    this.#loading = true;
    this.#failed = false;
    try {
      await client.older(TABS[this.#tab].status);
    } catch {
      this.#failed = this.#bell.client === client && client.state !== "unauthorized" && client.state !== "refused";
    }
    this.#loading = false;
    if (!this.open) return;
    this.#bell.draw();
    this.#look();
  }

  #settings() {
    const { gear, options } = this.#parts;
    const { words } = this.#bell;
    options.hidden = !options.hidden;
    set(gear, { "aria-expanded": String(!options.hidden) });
    options.replaceChildren(...["sound", "desktop"].filter((name) => possible[name]()).map((name) => {
      const box = h("input", { type: "checkbox", role: "switch", onchange: async () => {
        box.checked = await want(name, box.checked);
        if (name === "desktop" && blocked()) this.note("blocked");
      } });
      box.checked = wanted(name);
      return h("label", {}, box, h("bdi", {}, words.say(name)));
    }));
  }

  #key(event) {
    const { key, target } = event;
    if (key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && target.tagName !== "INPUT" && this.#undo.undo()) event.preventDefault();
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 5, PageUp: -5, Home: "first", End: "last" };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (key === "Escape") this.#bell.close();
    else if (key in steps && target.type !== "checkbox") this.#list.move(steps[key]);
    else if (key !== "Delete" || !this.#list.archiveFocused()) return;
    event.preventDefault();
    event.stopPropagation();
  }
}
