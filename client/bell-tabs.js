/** The tabs of the panel: all, unread, archived. */
import { h, set } from "./bell-dom.js";

export const TABS = {
  all: { word: "tabAll", status: "all", items: ({ items }) => items },
  unread: { word: "tabUnread", status: "unread", items: ({ items }) => items.filter(({ read_at }) => read_at === null) },
  archived: { word: "tabArchived", status: "archived", items: ({ archivedItems }) => archivedItems ?? [] },
};

/** True when no entry of this tab is left to load. */
export const complete = (name, store) =>
  store.pages?.[name] === null || (name !== "archived" && store.complete) || (name === "unread" && store.items.filter(({ read_at }) => read_at === null).length >= store.unread);

/**
 * @param words of the bell
 * @param chosen called with the name of a tab
 * @returns {{ element: HTMLElement, choose(name: string): void }}
 */
export function tabs(words, chosen) {
  const choose = (name) => {
    for (const tab of all) set(tab, { "aria-selected": String(tab.dataset.tab === name), tabindex: tab.dataset.tab === name ? 0 : -1 });
  };
  const all = Object.entries(TABS).map(([name, { word }]) =>
    h("button", { type: "button", role: "tab", id: `tab-${name}`, class: "tab", part: "tab", dir: "auto", "data-tab": name, "aria-controls": "entries", onclick: () => chosen(name) }, words.say(word)));
  const element = h("div", { role: "tablist", class: "tabs", part: "tabs", "aria-labelledby": "heading", onkeydown: (event) => {
    const at = all.indexOf(event.target);
    const forward = element.matches(":dir(rtl)") ? -1 : 1;
    const to = { ArrowRight: at + forward, ArrowLeft: at - forward, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    const tab = all[(to + all.length) % all.length];
    event.preventDefault();
    event.stopPropagation();
    tab.focus();
    tab.click();
  } }, ...all);
  return { element, choose };
}
