/** The snooze button of an entry and its menu: in an hour, tomorrow, Monday, a date. */
import { h, icon, set } from "./bell-dom.js";

const HOUR = 3_600_000;
const MORNING = 9; // o'clock, where the browser is
const DAYS = 400; // the server takes no later time

/** When an entry can come back: name -> milliseconds since 1970. */
export function times(now) {
  const morning = (days) => {
    const at = new Date(now);
    at.setDate(at.getDate() + days);
    at.setHours(MORNING, 0, 0, 0);
    return at.getTime();
  };
  const toMonday = (8 - new Date(now).getDay()) % 7 || 7;
  return { inAnHour: now + HOUR, tomorrow: morning(1), monday: morning(toMonday) };
}

/** A moment as an input for local times writes it. */
const local = (moment) => new Date(moment - new Date(moment).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

/**
 * The menu opens below the entry's text, where nothing has to be placed.
 * @param bell { words, now(), snooze(id, until) }
 * @returns {{ button: HTMLElement, menu: HTMLElement }}
 */
export function snoozer(bell, id, label, number) {
  const { words } = bell;
  const close = (back) => {
    menu.hidden = true;
    menu.replaceChildren();
    set(button, { "aria-expanded": "false" });
    if (back) button.focus();
  };
  const choose = (until) => { close(true); bell.snooze(id, until); };
  const entry = (name, onclick) => h("button", { type: "button", role: "menuitem", class: "choice", part: "snooze-choice", dir: "auto", tabindex: -1, onclick }, words.say(name));
  const open = () => {
    const now = bell.now();
    const pick = () => {
      const input = h("input", { type: "datetime-local", class: "date", "aria-label": words.say("aDate"), min: local(now), max: local(now + DAYS * 24 * HOUR), value: local(times(now).tomorrow) });
      const done = h("button", { type: "button", class: "choice", part: "snooze-choice", dir: "auto", onclick: () => {
        const until = new Date(input.value).getTime();
        if (until > now) choose(until);
        else input.focus();
      } }, words.say("snooze"));
      menu.replaceChildren(input, done);
      input.focus();
    };
    menu.replaceChildren(...Object.entries(times(now)).map(([name, until]) => entry(name, () => choose(until))), entry("aDate", pick));
    menu.hidden = false;
    set(button, { "aria-expanded": "true" });
    menu.firstElementChild.focus();
  };
  const button = h("button", { type: "button", part: "snooze", class: "tool", tabindex: -1, "aria-label": label, title: words.say("snooze"), "aria-haspopup": "menu", "aria-expanded": "false", "aria-controls": `s${number}`, onclick: () => { if (menu.hidden) open(); else close(true); } }, icon("clock"));
  const menu = h("div", { id: `s${number}`, role: "menu", class: "menu", part: "snooze-menu", "aria-label": words.say("snooze"), hidden: true, onkeydown: (event) => {
    const choices = [...menu.querySelectorAll("[role=menuitem]")];
    const at = choices.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: choices.length - 1 }[event.key];
    if (event.key === "Escape") close(true);
    else if (at < 0 || to === undefined) return void (event.target.tagName === "INPUT" && event.stopPropagation());
    else choices[(to + choices.length) % choices.length].focus();
    event.preventDefault();
    event.stopPropagation();
  } });
  return { button, menu };
}
