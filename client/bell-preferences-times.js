/** When it is to be quiet: a pause, quiet hours with their days, and the time zone. */
import { h, say } from "./bell-dom.js";
import { times } from "./bell-snooze.js";
import { have } from "./facility.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const A_MONDAY = Date.UTC(2024, 0, 1, 12);
const DAY = 86_400_000;
const FIRST = { from: "22:00", to: "07:00" };
const TYPED = 600; // ms after the last key in a time
const LONGEST = 2 ** 31 - 1; // of a timer

/** Where the browser cannot list the zones. */
const SOME = [
  "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "America/Argentina/Buenos_Aires", "America/Bogota", "America/Chicago", "America/Denver",
  "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Sao_Paulo", "America/Toronto", "Asia/Dhaka", "Asia/Dubai", "Asia/Hong_Kong",
  "Asia/Jakarta", "Asia/Jerusalem", "Asia/Karachi", "Asia/Kolkata", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney",
  "Europe/Berlin", "Europe/Istanbul", "Europe/London", "Europe/Madrid", "Europe/Moscow", "Europe/Paris", "Pacific/Auckland",
];
const here = () => have(() => new Intl.DateTimeFormat().resolvedOptions().timeZone);
const zones = () => have(() => Intl.supportedValuesOf("timeZone")) ?? SOME;

const section = (words, key, hint, ...children) =>
  h("section", { role: "group", "aria-labelledby": `${key}-heading` }, h("h3", { id: `${key}-heading`, dir: "auto" }, words.say(key)), hint && h("p", { class: "about", dir: "auto" }, words.say(hint)), ...children);

/** An hour, until tomorrow, until Monday; while it lasts, its end and a button that ends it. */
export class Pause {
  #bell;
  #change;
  #until;
  #row;
  #text;
  #timer;

  constructor(bell, change) {
    this.#bell = bell;
    this.#change = change;
    this.#text = h("p", { role: "status", class: "paused", dir: "auto" });
    this.#row = h("div", { class: "choices" });
    this.element = section(bell.words, "pause", "pauseHint", this.#text, this.#row);
  }

  update({ paused_until: until }) {
    const left = until - this.#bell.now();
    const paused = left > 0 ? until : null;
    clearTimeout(this.#timer);
    if (paused) this.#timer = setTimeout(() => this.update({ paused_until: until }), Math.min(left + 50, LONGEST));
    if (paused === this.#until) return;
    this.#until = paused;
    const { words } = this.#bell;
    say(this.#text, paused ? words.say("pausedUntil", { time: words.moment(paused) }) : "");
    const focused = this.#row.contains(this.#row.getRootNode().activeElement);
    this.#row.replaceChildren(...(paused ? [this.#button("resume", () => null)] : [
      this.#button("forAnHour", (at) => at.inAnHour), this.#button("untilTomorrow", (at) => at.tomorrow), this.#button("untilMonday", (at) => at.monday)]));
    if (focused) this.#row.firstElementChild.focus();
  }

  end() { clearTimeout(this.#timer); }

  #button(key, until) {
    const { words } = this.#bell;
    return h("button", { type: "button", class: "choice", part: "choice", dir: "auto", onclick: () => {
      const at = until(times(this.#bell.now()));
      this.#change({ paused_until: at && Math.round(at) });
    } }, words.say(key));
  }
}

/** A span of every day, or of some. */
export class Quiet {
  #change;
  #note;
  #shown = null;
  #hours = null;
  #timer;
  #parts = {};

  /** @param note(key) says what is wrong */
  constructor({ words }, change, note) {
    this.#change = change;
    this.#note = note;
    const p = this.#parts;
    const label = (key, control) => h("label", { class: "field" }, h("span", { dir: "auto" }, words.say(key)), control);
    const clock = (key) => h("input", { type: "time", part: "time-input", required: true, oninput: () => this.#typed(TYPED), onchange: () => this.#typed(TYPED), onblur: () => this.#typed(0), "data-key": key });
    p.on = h("input", { type: "checkbox", role: "switch", class: "switch", part: "switch", "aria-labelledby": "quietHours-heading", onchange: () => this.#switch() });
    p.from = clock("from");
    p.to = clock("to");
    const name = (style, i) => new Intl.DateTimeFormat(words.lang, { weekday: style, timeZone: "UTC" }).format(A_MONDAY + i * DAY);
    p.days = DAYS.map((day, i) => h("input", { type: "checkbox", value: day, "aria-label": name("long", i), onchange: ({ target }) => this.#day(target) }));
    p.fields = h("div", { class: "fields" },
      h("div", { class: "row" }, label("quietFrom", p.from), label("quietTo", p.to)),
      h("div", { role: "group", "aria-labelledby": "quiet-days" }, h("span", { id: "quiet-days", dir: "auto" }, words.say("quietDays")),
        h("div", { class: "days" }, ...p.days.map((box, i) => h("label", { class: "day", title: name("long", i) }, box, h("span", { "aria-hidden": "true" }, name("short", i)))))));
    this.element = h("section", { role: "group", "aria-labelledby": "quietHours-heading" },
      h("div", { class: "switched" }, h("h3", { id: "quietHours-heading", dir: "auto" }, words.say("quietHours")), p.on), p.fields);
  }

  update(shown) {
    this.#shown = shown;
    const hours = shown.quiet_hours;
    const p = this.#parts;
    p.on.checked = Boolean(hours);
    p.fields.hidden = !hours;
    if (hours) this.#hours = hours; // what was switched off comes back as it was
    if (!hours || this.#timer) return;
    p.from.value = hours.from;
    p.to.value = hours.to;
    for (const box of p.days) box.checked = !hours.days?.length || hours.days.includes(box.value);
  }

  end() { if (this.#timer) this.#typed(0); }

  #switch() {
    if (!this.#parts.on.checked) return this.#change({ quiet_hours: null });
    const zone = this.#shown.timezone ?? here();
    // Without a zone the hours would be those of the server.
    return this.#change({ quiet_hours: this.#hours ?? FIRST, ...(zone && zone !== this.#shown.timezone && !this.#hours?.timezone && { timezone: zone }) });
  }

  #want(more) {
    const { days, ...hours } = { ...this.#shown.quiet_hours, ...more };
    this.#change({ quiet_hours: { ...hours, ...(days?.length && days.length < DAYS.length && { days }) } });
  }

  /** A time is typed in pieces: it is sent after a pause, or when the field is left. */
  #typed(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const from = this.#parts.from.value;
      const to = this.#parts.to.value;
      const before = this.#shown?.quiet_hours;
      if (before && from && to && (from !== before.from || to !== before.to)) this.#want({ from, to });
      else if (delay === 0 && this.#shown) this.update(this.#shown);
    }, delay);
  }

  #day(box) {
    const days = this.#parts.days.filter(({ checked }) => checked).map(({ value }) => value);
    if (days.length) return this.#want({ days });
    box.checked = true; // no days would mean every day
    return this.#note("oneDay");
  }
}

/** The user's zone, which quiet hours and digests go by. */
export class Zone {
  #words;
  #shown = null;
  #select;

  constructor({ words }, change) {
    this.#words = words;
    this.#select = h("select", { part: "choice", "aria-labelledby": "zone-heading", onchange: () => {
      const { timezone, ...hours } = this.#shown.quiet_hours ?? {};
      change({ timezone: this.#select.value || null, ...(timezone && { quiet_hours: hours }) });
    } });
    this.element = section(words, "zone", "zoneHint", this.#select);
  }

  update(shown) {
    const zone = shown.quiet_hours?.timezone ?? shown.timezone ?? "";
    this.#shown = shown;
    if (!this.#select.options.length) {
      const all = [...new Set([...zones(), here(), "UTC"].filter(Boolean))].sort();
      this.#select.append(h("option", { value: "" }, this.#words.say("unset")), ...all.map((name) => this.#option(name)));
    }
    // The server may know more of them than the browser.
    if (![...this.#select.options].some(({ value }) => value === zone)) this.#select.append(this.#option(zone));
    this.#select.value = zone;
  }

  #option(name) { return h("option", { value: name }, name.replaceAll("_", " ")); }
}
