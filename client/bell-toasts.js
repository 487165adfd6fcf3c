/** What has just arrived: a stack of three toasts at most, and the live regions that speak it. */
import { content, links, picture } from "./bell-content.js";
import { h, icon, popover, say } from "./bell-dom.js";

const MOST = 3;
const STAYS = { info: 6000, success: 6000, warning: 10_000, error: 15_000 };
const LEAST = 1500; // a toast that was held stays at least this long when it is let go
const GATHER = 150; // a burst is one change on the page and one sentence to a screen reader
const SPOKEN = 200; // characters of a message

export class Toasts {
  #bell;
  #waiting = [];
  #timer = null;
  #held = false;

  /** @param bell { words, client, select(item, url, event), focus() } */
  constructor(bell) {
    this.#bell = bell;
    const hold = (held) => () => { this.#hold(held); };
    this.element = h("div", {
      class: "toasts", part: "toasts", popover: "manual",
      onmouseenter: hold(true), onmouseleave: hold(false), onfocusin: hold(true), onfocusout: hold(false),
    });
    // The regions are in the page before anything is said: one that appears together with its text stays silent.
    this.polite = h("div", { class: "hidden", role: "status", "aria-live": "polite" });
    this.assertive = h("div", { class: "hidden", role: "alert", "aria-live": "assertive" });
  }

  add(entry, { visible }) {
    this.#waiting.push({ entry, visible });
    if (this.#waiting.length > 50) this.#waiting[0].count = (this.#waiting[0].count ?? 1) + (this.#waiting.splice(1, 1)[0].count ?? 1);
    this.#timer ??= setTimeout(() => this.#flush(), GATHER);
  }

  /** Entries have left the inbox: nothing of them stays on the screen. */
  withdraw(ids) {
    this.#waiting = this.#waiting.filter(({ entry }) => !ids.includes(entry.id));
    for (const toast of [...this.element.children]) if (ids.includes(toast.entry)) this.#drop(toast);
  }

  clear() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#waiting = [];
    for (const toast of [...this.element.children]) this.#drop(toast);
  }

  #flush() {
    this.#timer = null;
    const all = this.#waiting.splice(0);
    const n = all.reduce((sum, { count = 1 }) => sum + count, 0);
    if (n > MOST) say(this.polite, this.#bell.words.say("new", { n }));
    else for (const { entry } of all) this.#speak(entry);
    for (const { entry, visible } of all.slice(-MOST)) if (visible) this.#show(entry);
  }

  #speak(entry) {
    const { words } = this.#bell;
    const { title, message, type } = content(entry);
    const region = type === "error" ? this.assertive : this.polite;
    const line = h("p", {}, `${words.type(type)}: ${title}. ${message.slice(0, SPOKEN)}`);
    region.replaceChildren(...[...region.children].slice(-2), line);
    setTimeout(() => line.remove(), STAYS.error);
  }

  #show(entry) {
    const { words } = this.#bell;
    const { title, message, type, image, actions } = content(entry);
    const close = () => { this.#drop(toast); };
    const toast = h("div", { class: "toast", part: "toast", role: "group", "aria-label": title, "data-type": type },
      h("span", { class: "sign", part: "icon" }, icon(type)),
      h("div", { class: "body" },
        h("p", { class: "meta" }, h("span", { class: "type", dir: "auto" }, words.type(type))),
        h("p", { class: "title", dir: "auto" }, title),
        h("p", { class: "message folded", dir: "auto" }, message),
        picture(image),
        links(actions, (url, event) => { this.#bell.select(this.#bell.client?.store.get(entry.id) ?? entry, url, event); close(); })),
      h("button", { type: "button", class: "tool", part: "dismiss", "aria-label": words.say("about", { action: words.say("dismiss"), title }), onclick: close }, icon("close")));
    toast.left = STAYS[type];
    toast.entry = entry.id;
    this.element.append(toast);
    while (this.element.children.length > MOST) this.#drop(this.element.firstElementChild);
    popover(this.element, true);
    if (!this.#held) this.#run(toast);
  }

  /** Each toast counts down for itself, and none while the pointer or the focus is on the stack. */
  #hold(held) {
    if (held === this.#held) return;
    this.#held = held;
    for (const toast of this.element.children) {
      if (held) this.#stop(toast);
      else this.#run(toast);
    }
  }

  #run(toast) {
    toast.since = performance.now();
    toast.timer = setTimeout(() => this.#drop(toast), toast.left);
  }

  #stop(toast) {
    clearTimeout(toast.timer);
    toast.left = Math.max(LEAST, toast.left - (performance.now() - toast.since));
  }

  #drop(toast) {
    clearTimeout(toast.timer);
    const focused = toast.contains(this.element.getRootNode().activeElement);
    const next = toast.nextElementSibling ?? toast.previousElementSibling;
    toast.remove();
    if (focused) (next?.querySelector("[part=dismiss]") ?? this.#bell).focus();
    if (next) return;
    this.#held = false; // the pointer leaves what is gone without saying so
    popover(this.element, false);
  }
}
