/**
 * The rows of a list in groups of some dozens. A browser lays a group out as a whole, and a full one that is out of
 * sight not at all (`content-visibility` in bell-styles.js): an arrival above 10,000 rows costs what one above 100 costs.
 * A row never moves to another group: it would lose the focus.
 */
import { h } from "./bell-dom.js";

const FULL = 50;

const isHeading = (element) => element.tagName === "H3";

export function remove(element) {
  const group = element.parentElement;
  element.remove();
  if (group && !group.childElementCount) group.remove();
}

/** Where each element of a list belongs, told from the first to the last. */
export class Places {
  #list;
  #last = null; // what was put before
  #next;

  constructor(list) {
    this.#list = list;
    this.#next = list.firstElementChild?.firstElementChild ?? null;
  }

  /** The next element of the list, in its place. */
  put(element) {
    if (element === this.#next) {
      this.#next = element.nextElementSibling ?? element.parentElement.nextElementSibling?.firstElementChild ?? null;
    } else this.#insert(element);
    this.#last = element;
  }

  /** An element of the list was replaced by another in its place. */
  replaced(before, element) { if (this.#next === before) this.#next = element; }

  #insert(element) {
    const from = element.parentElement; // a heading moves up when something older has left its day
    const last = this.#last, next = this.#next;
    if (last && !full(last.parentElement)) last.after(element);
    else if (next && !full(next.parentElement) && next === next.parentElement.firstElementChild) next.before(element);
    else this.#begin(element);
    mark(element.parentElement);
    if (from && !from.childElementCount) from.remove();
  }

  /** A new group, for what is between two full ones or within one. */
  #begin(element) {
    const last = this.#last, next = this.#next;
    const group = h("div", { class: "group" });
    if (last && isHeading(last) && last === last.parentElement.firstElementChild) {
      last.parentElement.before(group);
      group.append(last); // the heading stays above its newest entry
    } else if (last && last.nextElementSibling) return void last.after(element); // within a full one: it becomes larger
    else if (last) last.parentElement.after(group);
    else if (next) next.parentElement.before(group);
    else this.#list.append(group);
    group.append(element);
  }
}

const full = (group) => group.childElementCount >= FULL;
const mark = (group) => { if (full(group)) group.setAttribute("data-full", ""); };
