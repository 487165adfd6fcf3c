/**
 * The preferences in the panel: a pause, the categories with their channels, quiet hours, the time zone.
 * Loaded when they are first opened (bell-preferences-button.js). A change shows at once; a refused one is
 * taken back, with the server's words. What changes elsewhere shows here too.
 */
import { h, icon } from "./bell-dom.js";
import { Categories } from "./bell-preferences-categories.js";
import { Pause, Quiet, Zone } from "./bell-preferences-times.js";
import { addStyles } from "./bell-preferences-styles.js";
import "./bell-preferences-words.js";
import { PreferenceChanges } from "./preference-changes.js";

const BACK = "M15 5l-7 7 7 7";

export class PreferencesView {
  #bell;
  #back;
  #changes;
  #parts = {};
  #sections;
  #hear = () => this.#read();
  #failed = null;

  /**
   * @param bell { words, client, now(), close() }
   * @param back called to leave
   */
  constructor(bell, back) {
    this.#bell = bell;
    this.#back = back;
    const { words } = bell;
    this.#changes = new PreferenceChanges(bell.client, () => this.#draw());
    const change = (patch) => this.#change(patch);
    this.#sections = [new Pause(bell, change), new Categories(bell, change), new Quiet(bell, change, (key) => this.#note(key)), new Zone(bell, change)];
    const tool = (name, drawn, onclick) => h("button", { type: "button", class: `tool ${name}`, part: `tool ${name}`, "aria-label": words.say(name), title: words.say(name), onclick }, icon(drawn));
    const p = this.#parts;
    // In the page before anything is said: a region that appears together with its text may stay silent.
    p.alert = h("div", { role: "alert" });
    p.blank = h("div", { class: "blank", role: "status" });
    p.body = h("div", { class: "prefs" }, ...this.#sections.map(({ element }) => element));
    this.element = h("section", { class: "preferences", part: "preferences", "aria-labelledby": "preferences-heading", tabindex: -1, onkeydown: (event) => this.#key(event) },
      h("div", { class: "head", part: "header" }, tool("back", BACK, back), h("h2", { id: "preferences-heading", class: "grow", dir: "auto" }, words.say("preferences")), tool("close", "close", () => bell.close())),
      p.alert, h("div", { class: "scroll" }, p.blank, p.body));
  }

  begin() {
    addStyles(this.element.getRootNode());
    this.#bell.client.addEventListener("preferences", this.#hear);
    this.element.focus({ preventScroll: true });
    this.#draw();
    return this.#read();
  }

  end() {
    this.#bell.client?.removeEventListener("preferences", this.#hear);
    for (const section of this.#sections) section.end?.();
  }

  async #read() {
    this.#failed = null;
    try {
      await this.#changes.read();
      this.#note();
    } catch (error) {
      this.#failed = error;
      if (this.#changes.shown) this.#note("failed", error);
    }
    this.#draw();
  }

  async #change(patch) {
    this.#note();
    try {
      await this.#changes.change(patch);
    } catch (error) {
      this.#note("notSaved", error);
    }
  }

  /** @param error a RequestError; its own words are the server's, which is not asked for a language */
  #note(key, error) {
    const { words } = this.#bell;
    const told = error && !error.transient ? (error.errors?.map(({ loc, msg }) => `${loc.join(" ")}: ${msg}`).join("; ") || error.message) : "";
    const note = key && h("p", { class: "note", part: "note", "data-bad": true }, h("bdi", {}, words.say(key)), told ? h("bdi", { lang: "en" }, told) : null);
    this.#parts.alert.replaceChildren(...(note ? [note] : []));
  }

  #draw() {
    const { shown } = this.#changes;
    const { blank, body } = this.#parts;
    body.hidden = !shown;
    blank.hidden = Boolean(shown);
    if (shown) for (const section of this.#sections) section.update(shown);
    else this.#blank(blank);
  }

  #blank(blank) {
    const { words } = this.#bell;
    const kind = this.#failed ? "failed" : "loading";
    if (blank.dataset.kind === kind) return;
    blank.dataset.kind = kind;
    const retry = () => { this.element.focus({ preventScroll: true }); this.#hear(); this.#draw(); };
    blank.replaceChildren(...(this.#failed
      ? [h("strong", { dir: "auto" }, words.say("failed")), h("button", { type: "button", class: "choice", part: "retry", dir: "auto", onclick: retry }, words.say("retry"))]
      : [h("span", { class: "wait" }), h("span", { dir: "auto" }, words.say("loading"))]));
  }

  /** Keys belong to what is in here, not to the list below. */
  #key(event) {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    this.#back();
  }
}
