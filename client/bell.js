/**
 * <notification-bell>: the bell with its count, the panel and the toasts, on top of a NotifierClient.
 *
 *   <script type="module" src="/client/bell.js"></script>
 *   <notification-bell token-url="/my/token"></notification-bell>
 *
 * Attributes: url, token or token-url, lang, theme (light, dark), count (unread, unseen), no-toasts, no-title, no-preferences.
 * Properties: client, words, renderItem, open. Events: open, close, client, bell-select. Slots: header, empty.
 * Everything from the server is written as text; nothing is ever parsed as HTML.
 */
import { alertUser, watchSight, withdraw } from "./bell-alerts.js";
import { Element, define, h, icon, say, set } from "./bell-dom.js";
import { Panel } from "./bell-panel.js";
import { lockPage, place, styles } from "./bell-styles.js";
import { Toasts } from "./bell-toasts.js";
import { speak } from "./bell-languages.js";
import { showCount } from "./bell-title.js";
import { Words, addWords } from "./bell-words.js";
import { NotifierClient } from "./notifier.js";
import { fetchToken } from "./token-url.js";

export { addWords, NotifierClient };

const TICK = 15_000;
const LOOK = 1000;

export class NotificationBell extends Element {
  static observedAttributes = ["lang", "url", "token", "token-url", "count"];

  #root = this.attachShadow({ mode: "open", delegatesFocus: false });
  #style = styles(this.#root);
  #client = null;
  #own = false; // made here, so closed here
  #words = null;
  #dictionary = {};
  #panel;
  #toasts;
  #button;
  #count;
  #drawing = null;
  #looking = null;
  #timer = null;
  #listening = null;
  #render = null;
  #building = false;

  get client() { return this.#client; }
  set client(client) { this.#use(client, false); }

  /** Words of the page's own, over those of the language: `bell.words = { title: "News" }`. */
  get words() { return this.#words; }
  set words(dictionary) { this.#dictionary = dictionary; this.#build(); }

  /** `renderItem(item)` gives a Node to show instead of the bell's own; anything else leaves it as it is. */
  get renderItem() { return this.#render; }
  set renderItem(render) { this.#render = render; this.#panel?.redraw(); }

  get open() { return this.#panel?.open ?? false; }
  set open(open) { if (open) this.show(); else this.close(); }

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener("pointerdown", (event) => { if (!event.composedPath().includes(this)) this.close(false); }, { signal });
    // A frame that was asked for does not come once the page is out of sight: ask again.
    document.addEventListener("visibilitychange", () => { watchSight(); this.#drawing = null; this.draw(); }, { signal });
    watchSight();
    for (const type of ["resize", "scroll"]) window.addEventListener(type, () => this.place(), { signal, passive: true });
    this.#build();
    this.#start();
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.close(false);
    clearInterval(this.#timer);
    // An element that is only moved within the page is back before this runs.
    queueMicrotask(() => { if (!this.isConnected) this.#use(null, false); });
  }

  attributeChangedCallback(name, before, after) {
    if (!this.isConnected || before === after || !this.#panel) return;
    if (name === "lang") this.#build();
    else if (name === "count") this.draw();
    else if (!this.#client || this.#own) this.#restart();
  }

  show() {
    if (!this.#panel || this.open) return;
    this.#panel.show();
    lockPage(true);
    this.place();
    set(this.#button, { "aria-expanded": "true" });
    this.#timer = setInterval(() => this.#panel.tick(this.now()), TICK);
    this.#toasts.clear();
    this.#tell("open");
  }

  #tell(type) { if (!this.#building) this.dispatchEvent(new Event(type)); }

  /** @param {boolean} back whether the focus returns to the bell */
  close(back = true) {
    if (!this.open) return;
    clearInterval(this.#timer);
    this.#panel.hide();
    lockPage(false);
    set(this.#button, { "aria-expanded": "false" });
    if (back) this.focus();
    this.#tell("close");
  }

  /** The focus returns to the bell. */
  focus(options) { this.#button?.focus(options); }

  // What the parts of the bell ask for. Refused changes are already taken back when they come here.
  read(id) { this.#try(this.#client?.read(id)); }
  unread(id) { this.#try(this.#client?.unread(id)); }
  archive(id) {
    const item = this.#client?.store.get(id);
    if (!item || item.archived_at !== null) return;
    this.#panel.archived(item);
    const change = this.#client.archive(id);
    change?.catch(() => this.#panel.notArchived(id));
    this.#try(change);
  }

  /** Back into the inbox, read as it was before. */
  restore({ id, read_at }) {
    this.unread(id);
    if (read_at !== null) this.read(id);
  }

  /** An action was clicked. A router that handles it cancels the event, and the page stays. */
  select(item, url, event) {
    if (item.read_at === null) this.read(item.id);
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // into another tab or window
    if (this.dispatchEvent(new CustomEvent("bell-select", { detail: { item, url }, bubbles: true, composed: true, cancelable: true }))) return;
    event.preventDefault();
    this.close();
  }

  snooze(id, until) { this.#try(this.#client?.snooze(id, until)); }
  now() { return this.#client?.now?.() ?? Date.now(); }
  readAll() { this.#try(this.#client?.readAll()); }
  #try(change) { change?.catch(() => this.#panel.note("notSaved")); }

  // -- the client -----------------------------------------------------------------------------------

  #start() {
    if (this.#client || !this.isConnected) return;
    const [url, token, tokenUrl] = ["url", "token", "token-url"].map((name) => this.getAttribute(name));
    if (!token && !tokenUrl) return;
    const client = new NotifierClient({ url: url ?? "/", token: token ?? (() => fetchToken(tokenUrl)) });
    this.#use(client, true);
    client.connect();
  }

  #restart() {
    this.#use(null, false);
    this.#start();
  }

  #use(client, own) {
    if (client === this.#client) return;
    for (const [type, hear] of this.#hears) this.#client?.removeEventListener(type, hear);
    if (this.#own) this.#client?.close();
    this.#client = client;
    this.#own = own;
    this.#panel?.reset();
    this.#toasts?.clear();
    for (const [type, hear] of this.#hears) client?.addEventListener(type, hear);
    this.draw();
    this.dispatchEvent(new CustomEvent("client", { detail: client }));
  }

  #hears = Object.entries({
    change: () => this.draw(),
    state: ({ detail }) => {
      if (detail.state === "live") this.#panel?.again();
      this.draw();
    },
    event: ({ detail }) => this.#arrived(detail),
  });

  #arrived(entry) {
    if (entry.event === "inbox.archived") {
      withdraw(entry.data.ids);
      this.#toasts?.withdraw(entry.data.ids);
    }
    if (entry.quiet) return; // it came in quiet hours or a pause: the list and the count have it
    // An entry that is read by now was seen elsewhere; a badge or a change is not an entry and is not held at all.
    if (this.#client.store.get(entry.id)?.read_at !== null) return;
    if (entry.live) alertUser(entry, { leading: this.#client.leading, words: this.#words, open: () => this.show() });
    const seen = document.visibilityState === "visible" && !this.hasAttribute("no-toasts");
    if (seen) this.#toasts.add(entry, { visible: !this.open });
  }

  // -- what is seen ---------------------------------------------------------------------------------

  /** Makes everything in the present language; what was open is open again. */
  #build() {
    if (!this.isConnected) return;
    const open = this.open;
    this.#building = true;
    this.close(false);
    const lang = this.closest("[lang]")?.lang;
    speak(lang, () => this.#build());
    this.#words = new Words(lang, this.#dictionary);
    this.#panel = new Panel(this);
    this.#toasts = new Toasts(this);
    this.#count = h("span", { class: "count", part: "count", "aria-hidden": "true", hidden: true });
    this.#button = h("button", { type: "button", class: "bell", part: "bell", "aria-haspopup": "dialog", "aria-expanded": "false", "aria-controls": "panel",
      onclick: () => { if (this.open) this.close(); else this.show(); },
      onkeydown: (event) => { if (event.key === "ArrowDown" && !this.open) { event.preventDefault(); this.show(); } },
    }, icon("bell"), this.#count);
    this.#panel.element.addEventListener("focusout", ({ relatedTarget }) => {
      // The focus went on to the rest of the page: a panel left open would cover it.
      if (relatedTarget && !this.#root.contains(relatedTarget)) this.close(false);
    });
    this.#root.replaceChildren(this.#button, this.#panel.element, this.#toasts.element, this.#toasts.polite, this.#toasts.assertive);
    this.#show();
    if (open) this.show();
    this.#building = false;
  }

  /** At most once in a frame, however much arrives; in the background by a timer, for the title's count. */
  draw() {
    if (this.#drawing || !this.#panel) return;
    this.#drawing = true;
    const draw = () => { this.#drawing = null; this.#show(); };
    if (document.visibilityState === "visible") requestAnimationFrame(draw);
    else setTimeout(draw, 100);
  }

  #show() {
    const store = this.#client?.store;
    const counted = this.getAttribute("count") === "unseen" ? "unseen" : "unread";
    const count = store?.[counted] ?? 0;
    const words = this.#words;
    const name = [words.say("title"), count && words.say(counted === "unseen" ? "new" : "unread", { n: count })].filter(Boolean).join(", ");
    set(this.#button, { "aria-label": name, title: name, "data-state": this.#client?.state ?? "closed" });
    say(this.#count, words.count(count));
    this.#count.hidden = count === 0;
    if (this.open && !this.#panel.update()) this.draw();
    this.#look();
    if (!this.hasAttribute("no-title")) showCount(count, words.count(count), store?.seq != null);
  }

  /** What the open panel has shown for a second was on the screen. */
  #look() {
    if (this.#looking || !this.open || !this.#client?.store.unseen) return;
    this.#looking = setTimeout(() => {
      this.#looking = null;
      if (this.open && document.visibilityState === "visible") this.#client?.seen?.().catch(() => {});
    }, LOOK);
  }

  place() { if (this.open) place(this.#style, this.#button, this.#panel.element); }
}

define("notification-bell", NotificationBell);
