"""The bell's list in Chromium after any sequence of changes: each entry once, in order, under its day."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route

from tests.acceptance.browser import chrome

__all__ = ["chrome"]

pytestmark = pytest.mark.browser

CLIENT = Path(__file__).parents[2] / "client"
ADDRESS = "http://rows.test/"

#: Changes a list of entries at random, as the store does: what is unchanged keeps its identity.
CHANGES = """async (seed) => {
  const { List } = await import("/bell-list.js");
  const { Words } = await import("/bell-words.js");
  const { styles } = await import("/bell-styles.js");
  let state = seed;
  const below = (n) => { state = (state * 1103515245 + 12345) % 2147483648; return Math.floor(state / 65536) % n; };
  const list = new List({ words: new Words("en"), now: () => 1.8e12, client: { can: () => true } });
  const root = document.body.appendChild(document.createElement("div")).attachShadow({ mode: "open" });
  styles(root);
  root.append(list.element);
  const groups = new MutationObserver(() => {});
  groups.observe(list.element, { childList: true });
  const rows = new MutationObserver(() => {});
  rows.observe(list.element, { childList: true, subtree: true });
  // The time that a frame may take is over at any moment.
  let clock = 0;
  performance.now = () => (clock += below(4));
  let made = 0, first = 1.79e12, last = first;
  const entry = (timestamp) => ({ id: `n${++made}`, seq: made, event: "alert", version: 1, collapsed: 0, timestamp,
    read_at: null, archived_at: null, data: { title: `T${made}`, message: "m", type: "info" } });
  let items = Array.from({ length: below(120) }, () => entry((last -= below(9e6))));
  const ways = [
    () => { for (let n = 1 + below(9); n; n--) items = [entry((first += below(9e6))), ...items]; },
    () => { items = items.slice(0, Math.max(0, items.length - below(60))); },
    () => { items = [...items, entry(last + below(3) * 1e8)]; },
    () => { items = items.slice(0, Math.max(0, items.length - below(4))); },
    () => { for (let n = below(90); n; n--) items = [...items, entry((last -= below(9e6)))]; },
    () => { items = items.filter(() => below(20)); },
    () => { items = items.map((item) => (below(9) ? item : { ...item, read_at: item.read_at ? null : 1 })); },
    () => { items = items.map((item) => (below(30) ? item : { ...item, version: item.version + 1 })); },
    () => { const at = below(items.length + 1); items = [...items.slice(0, at), entry((items[at]?.timestamp ?? last) + below(2) * 2e8), ...items.slice(at)]; },
    () => { root.querySelectorAll("article")[below(items.length || 1)]?.focus(); },
    () => { items = items.slice(below(3)); },
  ];
  for (let round = 0; round < 60; round++) {
    ways[below(ways.length)]();
    if (below(3)) ways[0]();
    while (!list.update(items)) clock = 0;
    const gone = groups.takeRecords().flatMap(({ removedNodes }) => [...removedNodes]).length;
    const moved = rows.takeRecords().flatMap(({ removedNodes }) => [...removedNodes])
      .filter((node) => node.tagName === "ARTICLE" && node.isConnected).length;
    if (gone || moved) return { round, gone, moved };
    const wanted = [];
    let day = null;
    for (let i = 0; i < items.length; i++) {
      const begin = new Date(Math.max(...items.slice(i).map(({ timestamp }) => timestamp))).setHours(0, 0, 0, 0);
      if (begin !== day) wanted.push(`day ${new Words("en").day((day = begin), 1.8e12)}`);
      wanted.push(`${items[i].id} ${items[i].read_at === null}`);
    }
    const shown = [...list.element.querySelectorAll("h3, article")].map((element) =>
      element.tagName === "H3" ? `day ${element.textContent}` : `${element.dataset.id} ${element.hasAttribute("data-unread")}`);
    if (JSON.stringify(shown) !== JSON.stringify(wanted)) return { round, shown, wanted };
    if (items.length && root.querySelectorAll("article[tabindex='0']").length !== 1) return { round, tabindex: true };
  }
  return null;
}"""


def _answer(route: Route) -> None:
    name = route.request.url.removeprefix(ADDRESS)
    if re.fullmatch(r"[a-z-]+\.js", name):
        route.fulfill(path=CLIENT / name, content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html><title>rows</title>", content_type="text/html")


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_rows_are_the_entries_after_any_changes(chrome: Browser, seed: int) -> None:
    """No row moves, or it would lose the focus. No group goes: Chromium would look at the whole page."""
    page = chrome.new_page()
    page.route("**/*", _answer)
    page.goto(ADDRESS)
    try:
        assert page.evaluate(CHANGES, seed) is None
    finally:
        page.close()
