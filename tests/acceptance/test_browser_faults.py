"""Faults that people saw in the bell: focus, toasts, wrong addresses, wrong clocks, directions, phones."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.acceptance.browser import CLIENT, ROOT, Tab, Visit, chrome, shop_site, visit
from tests.harness.site import Site

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser

HOUR = 3_600_000
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "has_touch": True}
ACTIVE = f"{ROOT}.activeElement"


def send(site: Site, user: str, count: int) -> None:
    for number in range(count):
        site.send(user, f"Alert {number}")


# -- the focus stays in the panel ---------------------------------------------------------------------


def test_mark_all_by_keyboard_keeps_the_focus(visit: Visit, shop_site: Site, user: str) -> None:
    send(shop_site, user, 2)
    tab = visit(user).open()
    tab.unread(2)
    tab.bell()
    tab.page.keyboard.press("Tab")
    assert tab.js(f"{ACTIVE}.getAttribute('aria-label')") == "Mark all as read"
    changes: list[str] = []
    tab.page.on("request", lambda request: changes.append(request.url) if request.method == "POST" else None)
    tab.page.keyboard.press("Enter")
    tab.unread(0)
    tab.until(f"{CLIENT}.store.seq === 3")
    tab.until(f"{ACTIVE}?.getAttribute('aria-disabled') === 'true'")
    assert tab.js(f"{ACTIVE}.getAttribute('aria-label')") == "Mark all as read"
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Escape")
    assert len(changes) == 1, "marking nothing makes no call"
    assert tab.js(f"{ACTIVE}.className") == "bell"
    assert not tab.js("document.querySelector('#bell').open")


def test_archiving_the_last_entry_keeps_the_focus(visit: Visit, shop_site: Site, user: str) -> None:
    send(shop_site, user, 1)
    tab = visit(user).open()
    tab.unread(1)
    tab.bell()
    tab.until(f"{ROOT}.querySelector('article')")
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("Delete")
    tab.unread(0)
    tab.until(f"!{ROOT}.querySelector('article') && {ACTIVE}?.id === 'panel'")
    tab.page.keyboard.press("Escape")
    assert tab.js(f"{ACTIVE}.className") == "bell"


def test_try_again_keeps_the_focus(visit: Visit, shop_site: Site, user: str) -> None:
    tab = visit(user).open()
    refuse = re.compile(r"/api/inbox\?status=all")
    tab.page.route(refuse, lambda route: route.fulfill(status=422, json={"title": "no"}))
    tab.bell()
    again = tab.page.locator("#bell").get_by_role("button", name="Try again")
    again.focus()
    tab.page.unroute(refuse)
    tab.page.keyboard.press("Enter")
    tab.until(f"{CLIENT}.store.complete && !{ROOT}.querySelector('[part=retry]')")
    tab.until(f"{ACTIVE}?.id === 'panel'")


def test_dismissing_a_toast_by_keyboard_moves_the_focus_on(visit: Visit, shop_site: Site, user: str) -> None:
    tab = visit(user).open()
    send(shop_site, user, 2)
    toasts = tab.page.locator("#bell .toast")
    expect(toasts).to_have_count(2)
    toasts.first.get_by_role("button", name="Dismiss").focus()
    tab.page.keyboard.press("Enter")
    expect(toasts).to_have_count(1)
    assert tab.js(f"{ACTIVE}.getAttribute('aria-label')") == "Dismiss: Alert 1"
    tab.page.keyboard.press("Enter")
    expect(toasts).to_have_count(0)
    assert tab.js(f"{ACTIVE}.className") == "bell"


# -- toasts -------------------------------------------------------------------------------------------


def test_toasts_expire_in_a_stream(visit: Visit, shop_site: Site, user: str) -> None:
    tab = visit(user).open()
    tab.page.clock.install()
    titles = tab.page.locator("#bell .toast .title")

    def arrives(number: int) -> None:
        shop_site.send(user, f"Alert {number}")
        tab.until(f"{CLIENT}.store.unread === {number + 1}")
        tab.page.clock.run_for(200)

    arrives(0)
    tab.page.clock.run_for(3_800)
    arrives(1)
    expect(titles).to_have_text(["Alert 0", "Alert 1"])
    tab.page.clock.run_for(2_000)
    expect(titles).to_have_text(["Alert 1"])
    arrives(2)
    tab.page.clock.run_for(3_800)
    expect(titles).to_have_text(["Alert 2"])


def test_a_toast_under_the_pointer_counts_down_where_it_stopped(
    visit: Visit, shop_site: Site, user: str
) -> None:
    tab = visit(user).open()
    tab.page.clock.install()
    shop_site.send(user, "Alert 0")
    tab.until(f"{CLIENT}.store.unread === 1")
    tab.page.clock.run_for(200)
    toasts = tab.page.locator("#bell .toast")
    expect(toasts).to_have_count(1)
    tab.page.clock.run_for(3_000)
    toasts.first.hover()
    tab.page.clock.run_for(60_000)
    expect(toasts).to_have_count(1)
    tab.page.mouse.move(0, 0)
    tab.page.clock.run_for(2_500)
    expect(toasts).to_have_count(1)
    tab.page.clock.run_for(1_000)
    expect(toasts).to_have_count(0)


# -- an address that is set up wrong ------------------------------------------------------------------


def misconfigured(tab: Tab, address: str) -> None:
    """The state, the text on the screen and the line in the console name the address and its status."""
    tab.until(f"{CLIENT}?.state === 'misconfigured'", 15)
    tab.bell()
    words = f"This page is set up wrong: {address} answered 404."
    tab.until(f"{ROOT}.querySelector('.blank').textContent === {words!r}")
    line = (
        f"Live Notifications cannot connect: {address} answered 404. Check the address that this page names."
    )
    assert tab.trouble == [line]
    tab.trouble.clear()


def test_a_token_url_that_is_not_there(visit: Visit, user: str) -> None:
    desk = visit(user)
    lost = [True]

    def answer(route: Route) -> None:
        if lost[0]:
            route.fulfill(status=404, body="Not found")
        else:
            route.fallback()

    desk.context.route(re.compile("/test/token"), answer)
    tab = desk.open(live=False)
    misconfigured(tab, f"{desk.base_url}/test/token")
    lost[0] = False
    tab.live(31)
    tab.until(f"{ROOT}.querySelector('.blank').textContent.startsWith('Nothing here yet')")


def test_an_url_without_a_notifier(visit: Visit, user: str) -> None:
    desk = visit(user)
    tab = desk.open()
    tab.js("document.querySelector('#bell').setAttribute('url', '/not-here/')")
    misconfigured(tab, f"{desk.base_url}/not-here/api/inbox")


# -- clocks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [2, -2, 24 * 400])
def test_times_are_the_servers(visit: Visit, shop_site: Site, user: str, hours: int) -> None:
    shop_site.send(user, "Before")
    desk = visit(user)
    desk.context.add_init_script(f"{{ const now = Date.now; Date.now = () => now() + {hours * HOUR}; }}")
    tab = desk.open()
    tab.unread(1)
    tab.bell()
    tab.until(f"{ROOT}.querySelectorAll('article time').length === 1")
    shop_site.send(user, "Now")
    tab.until(f"{ROOT}.querySelectorAll('article time').length === 2")
    tab.until(f"[...{ROOT}.querySelectorAll('article time')].every(time => time.textContent === 'just now')")
    assert abs(tab.js(f"{CLIENT}.now() - Date.now()") + hours * HOUR) < 5_000


# -- directions ---------------------------------------------------------------------------------------

# The left edges of the first and the last character of an element's text.
EDGES = """selector => {
    const walker = document.createTreeWalker(
        document.querySelector('#bell').shadowRoot.querySelector(selector), NodeFilter.SHOW_TEXT);
    const text = walker.nextNode();
    const left = (from) => {
        const range = document.createRange();
        range.setStart(text, from);
        range.setEnd(text, from + 1);
        return range.getBoundingClientRect().left;
    };
    return [text.data, left(0), left(text.data.length - 1)];
}"""


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_words_keep_their_own_direction(visit: Visit, shop_site: Site, user: str, lang: str) -> None:
    send(shop_site, user, 19)
    shop_site.arrived(user, 19)
    tab = visit(user).open(f"dir=rtl&lang={lang}")
    tab.bell()
    tab.until(f"{ROOT}.querySelectorAll('article').length === 19")
    tab.js(f"{{ {ROOT}.querySelector('.scroll').scrollTop = 1e6 }}")
    tab.until(f"{ROOT}.querySelector('.foot').dataset.shows === 'end'")
    tab.page.set_viewport_size({"width": 900, "height": 620})
    for selector in (".sum", "article .type", "h2", ".foot span:not(:empty)"):
        text, first, last = tab.page.evaluate(EDGES, selector)
        assert (first < last) == (lang == "en"), (text, first, last)
    # The layout is the page's: the heading at the right, the tools at the left.
    heading = tab.page.locator("#bell h2").bounding_box()
    close = tab.page.locator("#bell [part~=close]").bounding_box()
    assert heading
    assert close
    assert heading["x"] > close["x"]


# -- phones -------------------------------------------------------------------------------------------


def test_the_page_stays_where_it_is_behind_the_panel_on_a_phone(
    visit: Visit, shop_site: Site, user: str
) -> None:
    tab = visit(user, **PHONE).open()
    tab.js("{ document.querySelector('#main').append('page '.repeat(5000)) }")
    tab.bell()
    tab.page.locator("#bell h2").hover()
    for _ in range(5):
        tab.page.mouse.wheel(0, 400)
    tab.page.locator("#bell .blank").hover()
    tab.page.mouse.wheel(0, 400)
    tab.page.wait_for_timeout(500)
    assert tab.js("window.scrollY") == 0
    tab.page.keyboard.press("Escape")
    tab.page.mouse.wheel(0, 400)
    tab.until("window.scrollY > 0")
    assert tab.js("document.adoptedStyleSheets.length") == 0


# -- empty --------------------------------------------------------------------------------------------


def test_all_archived_is_not_nothing_yet(visit: Visit, shop_site: Site, user: str) -> None:
    send(shop_site, user, 2)
    tab = visit(user).open()
    tab.unread(2)
    tab.bell()
    tab.until(f"{CLIENT}.store.complete")
    tab.js(f"{CLIENT}.archive({CLIENT}.items.map(({{id}}) => id))")
    tab.until(f"{ROOT}.querySelector('.blank strong')?.textContent === 'Nothing left'")
    # A fresh page, which never saw them, says the same.
    fresh = visit(user).open()
    fresh.bell()
    fresh.until(f"{ROOT}.querySelector('.blank strong')?.textContent === 'Nothing left'")
