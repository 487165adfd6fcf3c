/** "Archived", with a button that takes it back, for six seconds. Several are taken back one after the other. */
import { h, say, set } from "./bell-dom.js";

const STAYS = 6000;

export class Undo {
  #bell;
  #back;
  #done = [];
  #timer;
  #text = h("bdi");
  #button;

  /**
   * @param bell { words, restore(item) }
   * @param back called with the id of an entry that came back, or null when the time is over and the button had the focus
   */
  constructor(bell, back) {
    this.#bell = bell;
    this.#back = back;
    this.#button = h("button", { type: "button", class: "undo-button", part: "undo", dir: "auto", "aria-keyshortcuts": "Control+Z", onclick: () => this.undo() }, bell.words.say("undo"));
    // The status is in the page before anything is said.
    this.element = h("div", { class: "undo", part: "undo-bar" }, h("span", { role: "status" }, this.#text), this.#button);
    this.#show();
  }

  /** An entry was archived. */
  add(item, title) {
    this.#done.push({ item, title });
    this.#show();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.clear(), STAYS);
  }

  /** The server has refused it: there is nothing to take back. */
  forget(id) {
    this.#done = this.#done.filter(({ item }) => item.id !== id);
    this.#show();
  }

  clear() {
    clearTimeout(this.#timer);
    this.#done = [];
    this.#show();
  }

  /** @returns {boolean} whether there was something to take back */
  undo() {
    const last = this.#done.pop();
    if (!last) return false;
    this.#bell.restore(last.item);
    this.#back(last.item.id);
    this.#show();
    return true;
  }

  #show() {
    const last = this.#done.at(-1);
    const focused = this.element.getRootNode().activeElement === this.#button;
    say(this.#text, last ? this.#bell.words.say("about", { action: this.#bell.words.say("archived"), title: last.title }) : "");
    set(this.element, { "data-none": !last });
    this.#button.hidden = !last;
    if (!last && focused) this.#back(null);
  }
}
