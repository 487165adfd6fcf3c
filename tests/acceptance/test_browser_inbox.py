"""What one can do in the bell: tabs, days, archive with Undo, images and actions, and what pages can adapt."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.acceptance.browser import CLIENT, ROOT, Tab, Visit, chrome, shop_site, visit
from tests.harness.site import Site

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser

DAY = 86_400_000
ACTIVE = f"{ROOT}.activeElement"
PIXEL = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20"/></svg>'


def opened(visit: Visit, site: Site, user: str, count: int, query: str = "", **options: Any) -> Tab:
    """Return a tab whose panel shows this many unread alerts, the newest first."""
    for number in range(count):
        site.send(user, f"Alert {number}")
    site.arrived(user, count)
    tab = visit(user, **options).open(query)
    tab.unread(count)
    tab.bell()
    expect(articles(tab)).to_have_count(count)
    return tab


def articles(tab: Tab) -> Locator:
    return tab.page.locator("#bell").get_by_role("article")


def titles(tab: Tab) -> Locator:
    return tab.page.locator("#bell article .title")


def choose(tab: Tab, name: str) -> None:
    tab.page.get_by_role("tab", name=name, exact=True).click()


# -- tabs ---------------------------------------------------------------------------------------------


def test_the_tabs_and_their_empty_states(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user, 3)
    tabs = tab.page.get_by_role("tablist").get_by_role("tab")
    expect(tabs).to_have_text(["All", "Unread", "Archived"])
    blank = tab.page.locator("#bell .blank strong")
    choose(tab, "Archived")
    expect(blank).to_have_text("Nothing archived")
    expect(articles(tab)).to_have_count(0)
    choose(tab, "Unread")
    expect(titles(tab)).to_have_text(["Alert 2", "Alert 1", "Alert 0"])
    articles(tab).first.get_by_role("button", name="Mark as read").click()
    expect(titles(tab)).to_have_text(["Alert 1", "Alert 0"])
    tab.page.get_by_role("button", name="Mark all as read").click()
    expect(blank).to_have_text("All read")
    choose(tab, "All")
    expect(articles(tab)).to_have_count(3)
    articles(tab).first.get_by_role("button", name="Archive").click()
    expect(articles(tab)).to_have_count(2)
    choose(tab, "Archived")
    expect(titles(tab)).to_have_text(["Alert 2"])
    articles(tab).first.get_by_role("button", name="Move to the inbox").click()
    expect(blank).to_have_text("Nothing archived")
    choose(tab, "All")
    expect(titles(tab)).to_have_text(["Alert 2", "Alert 1", "Alert 0"])
    tab.unread(0)


def test_what_was_archived_long_ago_is_loaded(visit: Visit, shop_site: Site, user: str) -> None:
    ids = [shop_site.send(user, f"Alert {number}") for number in range(60)]
    shop_site.arrived(user, 60)
    with shop_site.user(user) as api:
        assert api.post("/api/inbox/archive", {"ids": ids[:55]}).status == 200
    tab = visit(user).open()
    tab.unread(5)
    tab.bell()
    choose(tab, "Archived")
    expect(titles(tab).first).to_have_text("Alert 54")
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("End")
    expect(articles(tab)).to_have_count(55)
    expect(titles(tab).last).to_have_text("Alert 0")
    choose(tab, "All")
    expect(articles(tab)).to_have_count(5)


def test_a_slow_page_shows_every_row_of_a_tab(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user, 4)
    tab.js(
        "{ let now = performance.now(); performance.now = () => (now += 5) }"
    )  # a frame has time for one row
    choose(tab, "Archived")
    choose(tab, "All")
    expect(articles(tab)).to_have_count(4)


def test_the_tabs_by_keyboard(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user, 1)
    tab.page.get_by_role("tab", name="All").focus()
    for key, name in (
        ("ArrowRight", "Unread"),
        ("End", "Archived"),
        ("ArrowRight", "All"),
        ("ArrowLeft", "Archived"),
        ("Home", "All"),
    ):
        tab.page.keyboard.press(key)
        chosen = tab.page.get_by_role("tab", name=name, exact=True)
        expect(chosen).to_be_focused()
        expect(chosen).to_have_attribute("aria-selected", "true")
        expect(tab.page.get_by_role("tabpanel", name=name, exact=True)).to_be_visible()
    tab.page.keyboard.press("Tab")
    assert tab.js(f"{ACTIVE}.tagName") == "ARTICLE"


# -- archive and Undo -----------------------------------------------------------------------------------


def test_archive_with_undo(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user, 3)
    undo = tab.page.get_by_role("button", name="Undo")
    articles(tab).nth(1).get_by_role("button", name="Mark as read").click()
    articles(tab).nth(1).get_by_role("button", name="Archive").click()
    expect(titles(tab)).to_have_text(["Alert 2", "Alert 0"])
    expect(tab.page.get_by_role("status").filter(has_text="Archived: Alert 1")).to_be_visible()
    undo.click()
    expect(titles(tab)).to_have_text(["Alert 2", "Alert 1", "Alert 0"])
    expect(undo).to_be_hidden()
    tab.unread(2)
    tab.until(f"{ACTIVE}?.textContent.includes('Alert 1')")
    # Two in a row come back one after the other, by keyboard.
    tab.page.keyboard.press("Home")
    tab.page.keyboard.press("Delete")
    expect(titles(tab)).to_have_text(["Alert 1", "Alert 0"])
    tab.page.keyboard.press("Delete")
    expect(titles(tab)).to_have_text(["Alert 0"])
    tab.page.keyboard.press("Control+z")
    expect(titles(tab)).to_have_text(["Alert 1", "Alert 0"])
    tab.page.keyboard.press("Control+z")
    expect(titles(tab)).to_have_text(["Alert 2", "Alert 1", "Alert 0"])
    tab.unread(2)
    # What came back is there for everybody, unread as it was.
    tab.until(f"{CLIENT}.items.filter(({{read_at}}) => read_at === null).length === 2")
    with shop_site.user(user) as api:

        def unread() -> list[bool]:
            return [item["read_at"] is None for item in api.get("/api/inbox").json["items"]]

        tab.wait(lambda: unread() == [True, False, True], 10, "the server has it back")


def test_undo_ends_after_six_seconds(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user, 2)
    tab.page.clock.install()
    articles(tab).first.get_by_role("button", name="Archive").click()
    tab.page.clock.run_for(100)
    undo = tab.page.get_by_role("button", name="Undo")
    undo.focus()
    tab.page.clock.run_for(5_500)
    expect(undo).to_be_visible()
    tab.page.clock.run_for(500)
    expect(undo).to_be_hidden()
    assert tab.js(f"{ACTIVE}.id") == "panel"
    tab.page.keyboard.press("Control+z")
    tab.page.clock.run_for(500)
    expect(titles(tab)).to_have_text(["Alert 0"])


def test_a_refused_archive_has_no_undo(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user, 1)
    tab.page.route("**/api/inbox/archive", lambda route: route.fulfill(status=422, json={"title": "no"}))
    articles(tab).first.get_by_role("button", name="Archive").click()
    expect(tab.page.locator("#bell .note")).to_have_text("The change could not be saved.")
    expect(tab.page.get_by_role("button", name="Undo")).to_be_hidden()
    expect(titles(tab)).to_have_text(["Alert 0"])


# -- days -----------------------------------------------------------------------------------------------


def test_entries_are_under_their_days(visit: Visit, shop_site: Site, user: str) -> None:
    tab = visit(user, timezone_id="UTC").open()
    moved = f"""(() => {{
        const now = {CLIENT}.now();
        const add = (seq, days, more) => {CLIENT}.store.apply({{ op: "event", event: "alert", id: `id-${{seq}}`, seq,
            timestamp: now - days * {DAY}, unread: seq, data: {{ title: `${{seq}}`, message: "m", type: "info" }}, ...more }});
        add(1, 9); add(2, 9); add(3, 1); add(4, 5, {{ returned: true }}); add(5, 0);
    }})()"""
    tab.js(moved)
    tab.bell()
    expect(articles(tab)).to_have_count(5)
    days = tab.page.locator("#bell [role=tabpanel]").get_by_role("heading")
    expect(days).to_have_text(["Today", "Yesterday", re.compile(r"^\w+ \d+, \d{4}$")])
    order = tab.js(
        f"[...{ROOT}.querySelectorAll('.list h3, .list article')].map(({{tagName}}) => tagName).join(' ')"
    )
    assert order == "H3 ARTICLE H3 ARTICLE ARTICLE H3 ARTICLE ARTICLE"


# -- images and actions -----------------------------------------------------------------------------------


def test_the_image_and_both_actions(visit: Visit, shop_site: Site, user: str) -> None:
    rich = {
        "title": "Invitation", "message": "m", "type": "info", "image": "/test/picture.svg",
        "actions": [{"label": "Accept", "url": "/test/page?yes"}, {"label": "Decline", "url": "/test/page?no"}],
    }  # fmt: skip
    desk = visit(user)
    desk.context.route(
        re.compile("/test/picture"), lambda route: route.fulfill(body=PIXEL, content_type="image/svg+xml")
    )
    tab = desk.open()
    assert shop_site.api.send(user, rich).status == 202
    toast = tab.page.locator("#bell .toast")
    expect(toast.get_by_role("link")).to_have_text(["Accept", "Decline"])
    tab.bell()
    entry = articles(tab).first
    expect(entry.get_by_role("link")).to_have_text(["Accept", "Decline"])
    picture = entry.locator("img")
    expect(picture).to_have_attribute("alt", "")
    expect(picture).to_have_js_property("naturalWidth", 40)
    tab.page.emulate_media(media="print")
    expect(tab.page.locator("#bell .bell")).to_be_hidden()
    expect(tab.page.locator("#bell .panel")).to_be_hidden()
    tab.page.emulate_media(media="screen")
    entry.get_by_role("link", name="Decline").click()
    tab.page.wait_for_url("**/test/page?no")
    tab.live()
    tab.unread(0)


def test_a_picture_that_is_not_there_leaves_no_gap(visit: Visit, shop_site: Site, user: str) -> None:
    desk = visit(user)
    desk.context.route(re.compile("/test/picture"), lambda route: route.fulfill(status=404))
    shop_site.api.send(user, {"title": "t", "message": "m", "type": "info", "image": "/test/picture.svg"})
    tab = desk.open()
    tab.unread(1)
    tab.bell()
    expect(articles(tab)).to_have_count(1)
    expect(tab.page.locator("#bell img")).to_have_count(0)


# -- for developers ---------------------------------------------------------------------------------------


def test_a_router_takes_over(visit: Visit, shop_site: Site, user: str) -> None:
    action = {"label": "Track", "url": "/test/page?tracked"}
    shop_site.api.send(user, {"title": "t", "message": "m", "type": "info", "action": action})
    tab = visit(user).open()
    tab.unread(1)
    tab.js(
        """{ window.heard = [];
        document.querySelector('#bell').addEventListener('bell-select', (event) => {
            heard.push([event.detail.item.data.title, event.detail.url, event.target.id]);
            event.preventDefault();
        });
        for (const type of ['open', 'close'])
            document.querySelector('#bell').addEventListener(type, () => heard.push(type)); }"""
    )
    tab.bell()
    articles(tab).first.get_by_role("link", name="Track").click()
    tab.unread(0)
    assert tab.js("heard") == ["open", ["t", "/test/page?tracked", "bell"], "close"]
    assert "tracked" not in tab.page.url
    shop_site.api.send(user, {"title": "toast", "message": "m", "type": "info", "action": action})
    tab.page.locator("#bell .toast").get_by_role("link", name="Track").click()
    tab.unread(0)
    assert tab.js("heard.at(-1)") == ["toast", "/test/page?tracked", "bell"]
    expect(tab.page.locator("#bell .toast")).to_have_count(0)


def test_a_page_shows_entries_in_its_own_way(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user, 2)
    tab.js(
        """{ document.querySelector('#bell').renderItem = (item) => {
            if (item.data.title === 'Alert 0') return null;
            const node = document.createElement('b');
            node.textContent = `${item.data.title}, ${item.read_at === null ? 'new' : 'old'}`;
            return node;
        } }"""
    )
    own = tab.page.locator("#bell article b")
    expect(own).to_have_text(["Alert 1, new"])
    entry = tab.page.get_by_role("article", name="Alert 1")
    expect(entry.locator(".title")).to_be_hidden()
    expect(tab.page.get_by_role("article", name="Alert 0").locator(".title")).to_be_visible()
    entry.get_by_role("button", name="Mark as read").click()
    expect(own).to_have_text(["Alert 1, old"])
    tab.js("{ document.querySelector('#bell').renderItem = null }")
    expect(own).to_have_count(0)
    expect(entry.locator(".title")).to_be_visible()


def test_slots_for_the_header_and_the_empty_state(visit: Visit, user: str) -> None:
    tab = visit(user).open()
    tab.js(
        """{ for (const name of ['header', 'empty']) {
            const own = document.createElement('p');
            own.slot = name;
            own.textContent = `Our ${name}`;
            document.querySelector('#bell').append(own);
        } }"""
    )
    tab.bell()
    expect(tab.page.get_by_text("Our header")).to_be_visible()
    expect(tab.page.get_by_text("Our empty")).to_be_visible()
    expect(tab.page.get_by_text("Nothing here yet")).to_be_hidden()
    expect(tab.page.get_by_role("dialog", name="Notifications")).to_be_visible()


def test_the_count_of_what_was_not_seen(visit: Visit, shop_site: Site, user: str) -> None:
    desk = visit(user)
    desk.context.add_init_script(
        "window.badges = []; navigator.setAppBadge = async (count) => { badges.push(count) }"
    )
    tab = desk.open()
    shop_site.send(user, "One")
    shop_site.send(user, "Two")
    tab.unread(2)
    assert tab.js("badges.at(-1)") == 2
    tab.js("document.querySelector('#bell').setAttribute('count', 'unseen')")
    expect(tab.page.get_by_role("button", name="Notifications, 2 new notifications")).to_be_visible()
    tab.bell()
    expect(tab.page).to_have_title("Test page")
    tab.until("badges.at(-1) === 0")
    assert tab.js(f"{CLIENT}.store.unread") == 2
    tab.js("document.querySelector('#bell').removeAttribute('count')")
    tab.unread(2)


# -- languages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "unread"),
    [("fr", "2 non lues"), ("pt-BR", "2 não lidas"), ("ja", "未読 2 件"), ("en", "2 unread")],
)
def test_a_language_is_loaded_when_it_is_used(
    visit: Visit, shop_site: Site, user: str, lang: str, unread: str
) -> None:
    desk = visit(user)
    asked: list[str] = []

    def note(route: Route) -> None:
        asked.append(route.request.url.rpartition("/")[2])
        route.fallback()

    desk.context.route(re.compile("/bell-words-"), note)
    for number in range(2):
        shop_site.send(user, f"Alert {number}")
    tab = desk.open(f"lang={lang}")
    tab.unread(2)
    expect(tab.page.locator("#bell .sum")).to_have_text("")
    tab.bell()
    expect(tab.page.locator("#bell .sum")).to_have_text(unread)
    used = {"bell-words-de.js", "bell-words-ar.js"} | ({f"bell-words-{lang[:2]}.js"} - {"bell-words-en.js"})
    assert set(asked) == used, "the page itself loads German and Arabic"
