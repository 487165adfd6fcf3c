/** Makes elements without parsing any text: the one way in which the bell writes to the page. */
import { have } from "./facility.js";

/** `h("button", { part: "close", onclick }, "text", child)`: functions are listeners, `null` and `false` leave out. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  set(element, props);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function set(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
  }
}

/** Changes a text only when it differs, so that a live region does not speak again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** What elements are made of; a stand-in on a server, where modules are imported to render a page and nothing is defined. */
export const Element = globalThis.HTMLElement ?? class {};

export function define(name, element) {
  if (globalThis.customElements && !customElements.get(name)) customElements.define(name, element);
}

/** Shows or hides an element on top of the page; without popovers it is placed by its style alone. */
export const popover = (element, open) => have(() => element.togglePopover(open));

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  bell: "M12 3a6 6 0 0 0-6 6v4l-2 3h16l-2-3V9a6 6 0 0 0-6-6M9.5 19a2.5 2.5 0 0 0 5 0",
  info: "M12 11v6M12 7v.5",
  success: "M7 12.5l3.5 3.5L17 9",
  warning: "M12 7v6M12 16.5v.5",
  error: "M8.5 8.5l7 7M15.5 8.5l-7 7",
  check: "M4 12.5l5 5L20 7",
  checks: "M2 12.5l5 5L16 8M12 16l1.5 1.5L22 9",
  dot: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8",
  archive: "M4 5h16v4H4zM6 9v10h12V9M10 13h4",
  inbox: "M4 13l2-8h12l2 8v6H4zM4 13h5l1 2h4l1-2h5",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 8v4.500l3 2",
  close: "M6 6l12 12M18 6L6 18",
  settings: "M4 7h10M18 7h2M16 5v4M4 17h2M10 17h10M8 15v4",
  offline: "M3 3l18 18M5 12a10 10 0 0 1 5-2.7M19 12a10 10 0 0 0-4-2.4M8.5 15.500a5 5 0 0 1 7 0M12 19v.5",
};

/** @param name one of those above, or a path of its own */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  set(svg, { viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false", class: "icon" });
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name] ?? name);
  svg.append(path);
  return svg;
}
