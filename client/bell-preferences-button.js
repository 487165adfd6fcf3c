/** The control "Preferences" at the end of the panel. What it opens is loaded at its first use. */
import { h, set } from "./bell-dom.js";

export class PreferencesButton {
  #bell;
  #panel;
  #failed;
  #button;
  #view = null;

  /**
   * @param bell { words, client, place }
   * @param panel the element that the preferences are shown in, instead of what it holds
   * @param failed called when they cannot be loaded
   */
  constructor(bell, panel, failed) {
    this.#bell = bell;
    this.#panel = panel;
    this.#failed = failed;
    this.#button = h("button", { type: "button", class: "to-preferences", part: "preferences-button", dir: "auto", onclick: () => this.#open() }, bell.words.say("preferences"));
    this.element = h("div", { class: "bar" }, this.#button);
  }

  /** A client of somebody's own may know no preferences. */
  update() { this.element.hidden = !this.#bell.client?.setPreferences; }

  async #open() {
    const { client } = this.#bell;
    let module;
    try {
      module = await import("./bell-preferences.js");
    } catch {
      return this.#failed();
    }
    if (this.#view || this.#panel.hidden || client !== this.#bell.client) return undefined;
    this.#view = new module.PreferencesView(this.#bell, () => this.close(true));
    this.#panel.append(this.#view.element);
    set(this.#panel, { "data-view": "preferences", "aria-labelledby": "preferences-heading" });
    this.#view.begin();
    this.#bell.place(); // it has another width, known with its styles
    return undefined;
  }

  /** @param {boolean} back whether the focus returns to the control */
  close(back = false) {
    if (!this.#view) return;
    this.#view.end();
    this.#view.element.remove();
    this.#view = null;
    set(this.#panel, { "data-view": null, "aria-labelledby": "heading" });
    this.#bell.place();
    if (back) this.#button.focus();
  }
}
