/**
 * The rows of a list in groups of some dozens. A browser lays a group out as a whole, and one that is out of sight
 * not at all (`content-visibility` in bell-styles.js): an arrival above 10,000 rows costs what one above 100 costs.
 * A row never moves to another group: it would lose the focus. A group that has become empty stays for the next row:
 * when an element with style containment goes, Chromium looks at the whole page (50 ms with 10,000 rows).
 */
import { h } from "./bell-dom.js";

const FULL = 50;

const isHeading = (element) => element.tagName === "H3";

/** The first element of a group, or of those after it. */
function first(group) {
  while (group && !group.firstElementChild) group = group.nextElementSibling;
  return group?.firstElementChild ?? null;
}

const after = (element) => element.nextElementSibling ?? first(element.parentElement.nextElementSibling);
const empty = (group) => Boolean(group) && !group.firstElementChild;

/** Where each element of a list belongs, told from the first to the last. */
export class Places {
  #list;
  #last = null; // what was put before
  #next;

  constructor(list) {
    this.#list = list;
    this.#next = first(list.firstElementChild);
  }

  /** The next element of the list, in its place. */
  put(element) {
    const next = this.#next;
    // A heading that is in the way has its turn later: it moves, and no row does.
    if (element === next || (next && isHeading(next) && element === after(next))) return void this.pass(element);
    this.#insert(element);
    this.#last = element;
  }

  /** All up to this element are in their places. */
  pass(element) {
    this.#last = element;
    this.#next = after(element);
  }

  /** An element of the list was replaced by another in its place. */
  replaced(before, element) { if (this.#next === before) this.#next = element; }

  #insert(element) {
    const last = this.#last, next = this.#next;
    if (last && !full(last.parentElement)) last.after(element);
    else if (next && !full(next.parentElement) && next === next.parentElement.firstElementChild) next.before(element);
    else this.#begin(element);
    mark(element.parentElement);
  }

  /** Another group, for what is between two full ones or within one. */
  #begin(element) {
    const last = this.#last, next = this.#next;
    if (last && isHeading(last) && last === last.parentElement.firstElementChild) {
      this.#before(last.parentElement).append(last, element); // the heading stays above its newest entry
    } else if (last?.nextElementSibling) last.after(element); // within a full one: it becomes larger
    else if (last) this.#after(last.parentElement).append(element);
    else this.#before(next?.parentElement ?? null).append(element);
  }

  /** An empty group before this one; null: at the end. */
  #before(group) {
    const other = group ? group.previousElementSibling : this.#list.lastElementChild;
    return empty(other) ? open(other) : this.#list.insertBefore(h("div", { class: "group" }), group);
  }

  #after(group) {
    const other = group.nextElementSibling;
    return empty(other) ? open(other) : this.#before(other);
  }
}

const full = (group) => group.childElementCount >= FULL;
const open = (group) => { group.removeAttribute("data-full"); return group; };
const mark = (group) => { if (full(group)) group.setAttribute("data-full", ""); };
