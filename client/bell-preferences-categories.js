/** The table of categories and channels: a switch for each, for email a choice, and a row for channels as a whole. */
import { h, icon, say } from "./bell-dom.js";

const MAILS = ["off", "instant", "hourly", "daily", "weekly"];
const SWITCH = ["on", "off"];
const RESET = "M5 5v5h5M5.500 10a7 7 0 1 1-.5 5";
const LOCK = "M7 11V8a5 5 0 0 1 10 0v3M5 11h14v9H5z";
const HEADING = "categories-heading";

/** The channels in the order in which categories name them; those that none offers are left out. */
const columns = (categories) => [...new Set(categories.flatMap(({ channels }) => Object.keys(channels)))];

/** What the table is made of; while it stays the same, only values are written. */
const structure = ({ categories }) => JSON.stringify(categories.map(({ name, title, description, required, channels }) => [name, title, description, required, Object.keys(channels)]));

export class Categories {
  #bell;
  #change;
  #made = null;
  #cells = [];

  /**
   * @param bell { words }
   * @param change(patch) called with what the user wants
   */
  constructor(bell, change) {
    this.#bell = bell;
    this.#change = change;
    // Roles by name: a table that is laid out in another way loses them in some browsers.
    this.#table = h("table", { role: "table", part: "categories", "aria-labelledby": HEADING });
    this.element = h("section", {}, h("h3", { id: HEADING, dir: "auto" }, bell.words.say("categories")), h("div", { class: "table" }, this.#table));
  }

  #table;

  update(shown) {
    const made = structure(shown);
    if (made !== this.#made) this.#make(shown);
    this.#made = made;
    for (const draw of this.#cells) draw(shown);
  }

  #channel(name) {
    const key = `channel.${name}`;
    const word = this.#bell.words.say(key);
    return word === key ? name : word;
  }

  #make({ categories }) {
    const { activeElement } = this.#table.getRootNode();
    const at = this.#table.contains(activeElement) && activeElement.dataset.at;
    this.#cells = [];
    const channels = columns(categories);
    const { words } = this.#bell;
    const head = (text, props = {}) => h("th", { role: "columnheader", scope: "col", ...props }, text);
    this.#table.replaceChildren(
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head(h("span", { class: "hidden" }, words.say("category"))), ...channels.map((channel) => head(this.#channel(channel), { dir: "auto" })))),
      h("tbody", { role: "rowgroup" }, ...categories.map((category, row) => this.#row(category, row, channels))),
      h("tfoot", { role: "rowgroup" }, this.#whole(channels)));
    if (at) this.#table.querySelector(`[data-at="${CSS.escape(at)}"]`)?.focus();
  }

  #row({ name, title, description, required }, row, channels) {
    const { words } = this.#bell;
    const id = `c${row}`;
    const hint = h("span", { class: "hint", dir: "auto", id: `${id}-hint` });
    if (required) hint.append(icon(LOCK), words.say("required"));
    const find = ({ categories }) => categories[row].channels;
    if (!required) this.#cells.push((shown) => { say(hint, find(shown).inbox?.value === "off" ? words.say("inboxOff") : ""); });
    return h("tr", { role: "row", "data-category": name },
      h("th", { role: "rowheader", scope: "row" }, h("span", { class: "category", dir: "auto" }, title), description && h("span", { class: "about", dir: "auto" }, description), hint),
      ...channels.map((channel) => this.#cell({ name, title, required, channel, hint: hint.id, find })));
  }

  #cell({ name, title, required, channel, hint, find }) {
    const { words } = this.#bell;
    const label = words.say("about", { action: this.#channel(channel), title });
    const cell = h("td", { role: "cell", "data-channel": channel });
    const want = (value) => this.#change({ categories: { [name]: { [channel]: value } } });
    let control = null;
    this.#cells.push((shown) => {
      const now = find(shown)[channel];
      if (!now) return;
      control ??= this.#fill(cell, { label, channel, required, hint, want, at: `${name} ${channel}` });
      control(now);
    });
    return cell;
  }

  /** Makes a cell's control. @returns a function that shows { value, from } in it */
  #fill(cell, { label, channel, required, hint, want, at }) {
    const { words } = this.#bell;
    const props = { "aria-label": label, "aria-describedby": hint, "data-at": at, disabled: required };
    const mail = channel === "email";
    const control = mail
      ? this.#select(props, MAILS, want)
      : h("input", { type: "checkbox", role: "switch", class: "switch", part: "switch", ...props, onchange: () => want(control.checked ? "on" : "off") });
    const source = h("span", { class: "source", dir: "auto" });
    const reset = h("button", { type: "button", class: "reset", part: "reset", "aria-label": words.say("about", { action: words.say("toStandard"), title: label }), title: words.say("toStandard"), onclick: () => { control.focus(); want(null); } }, icon(RESET));
    cell.append(h("span", { class: "label", dir: "auto", "aria-hidden": "true" }, this.#channel(channel)), control, required ? "" : source, required ? "" : reset);
    return ({ value, from }) => {
      if (mail) control.value = value;
      else control.checked = value === "on";
      reset.hidden = from !== "user";
      source.hidden = from === "user";
      say(source, words.say(from === "channel" ? "asChannel" : "standard"));
    };
  }

  #select(props, values, want, none) {
    const { words } = this.#bell;
    const select = h("select", { part: "choice", ...props, onchange: () => want(select.value || null) },
      ...(none ? [h("option", { value: "" }, none)] : []), ...values.map((value) => h("option", { value }, words.say(value))));
    return select;
  }

  /** For each channel a value as a whole, or none. */
  #whole(channels) {
    const { words } = this.#bell;
    const title = words.say("all");
    const cells = channels.map((channel) => {
      const label = words.say("about", { action: this.#channel(channel), title });
      const select = this.#select({ "aria-label": label, "data-at": ` ${channel}` }, channel === "email" ? MAILS : SWITCH, (value) => this.#change({ channels: { [channel]: value } }), words.say("unset"));
      this.#cells.push((shown) => { select.value = shown.channels[channel] ?? ""; });
      return h("td", { role: "cell", "data-channel": channel }, h("span", { class: "label", dir: "auto", "aria-hidden": "true" }, this.#channel(channel)), select);
    });
    return h("tr", { role: "row" },
      h("th", { role: "rowheader", scope: "row" }, h("span", { class: "category", dir: "auto" }, title), h("span", { class: "about", dir: "auto" }, words.say("allHint"))),
      ...cells);
  }
}
