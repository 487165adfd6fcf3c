"""Preferences in the bell: every line of the panel, in every tab, by keyboard, on a phone; and what quiet means."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.acceptance.browser import CLIENT, ROOT, Tab, Visit, axe_source, chrome, shop_site, visit
from tests.harness.site import Site
from tests.harness.waiting import crowding

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True}
PREFERENCES = "/api/preferences"
# What makes noise is counted, and the page can be hidden: a browser without a screen does neither.
NOISE = """
window.sight = "visible"; window.shown = 0; window.played = 0; window.said = [];
Object.defineProperty(document, "visibilityState", { get: () => window.sight });
window.Notification = class {
    static permission = "granted";
    constructor() { window.shown += 1; }
    close() {}
};
window.AudioContext = class { constructor() { window.played += 1; } };
localStorage.setItem("notifier.sound", "on"); localStorage.setItem("notifier.desktop", "on");
"""


def preferences(site: Site, user: str) -> dict[str, Any]:
    """Return what the server holds for a user."""
    with site.user(user) as api:
        found: dict[str, Any] = api.get(PREFERENCES).json
        return found


def change(site: Site, user: str, patch: dict[str, Any]) -> None:
    """Change the preferences elsewhere."""
    with site.user(user) as api:
        assert api.prefer(patch).status == 200


def value(site: Site, user: str, category: str, channel: str) -> tuple[str, str]:
    """Return a value and where it comes from, as the server tells it."""
    kinds = preferences(site, user)["categories"]
    found = next(kind for kind in kinds if kind["name"] == category)["channels"][channel]
    return found["value"], found["from"]


def show(tab: Tab) -> Page:
    """Open the bell's panel and its preferences."""
    tab.bell()
    tab.page.get_by_role("button", name="Preferences").click()
    expect(tab.page.get_by_role("table", name="What reaches you")).to_be_visible()
    return tab.page


def switch(page: Page, channel: str, title: str) -> Locator:
    return page.get_by_role("switch", name=f"{channel}: {title}", exact=True)


def choice(page: Page, channel: str, title: str) -> Locator:
    return page.get_by_role("combobox", name=f"{channel}: {title}", exact=True)


def violations(tab: Tab) -> list[str]:
    if not tab.js("'axe' in window"):
        tab.page.add_script_tag(content=axe_source())
    found: list[str] = tab.page.evaluate(
        """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
            .flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id} ${target.flat().join(" ")}`))"""
    )
    return found


def test_the_table_of_categories_and_channels(visit: Visit, shop_site: Site, user: str) -> None:
    page = show(visit(user).open())
    rows = page.locator("#bell tr[data-category]")
    orders = page.locator("#bell tr[data-category=shop-orders]")
    expect(orders.get_by_role("rowheader")).to_contain_text("What happens to your orders.")
    heads = page.get_by_role("columnheader").all_text_contents()
    assert heads[1:] == ["Inbox", "Email", "Push"]
    assert "shop-account" in rows.evaluate_all("rows => rows.map(row => row.dataset.category)")

    switch(page, "Push", "Orders").uncheck()
    choice(page, "Email", "Orders").select_option("Daily")
    reset = page.get_by_role("button", name="Back to the default: Email: Orders")
    expect(reset).to_be_visible()
    expect.set_options(timeout=10_000)
    expect(switch(page, "Inbox", "Orders")).to_be_checked()
    assert_soon(page, shop_site, user, "shop-orders", "push", ("off", "user"))
    assert_soon(page, shop_site, user, "shop-orders", "email", ("daily", "user"))

    choice(page, "Push", "All categories").select_option("Off")
    choice(page, "Email", "All categories").select_option("Hourly")
    reset.click()
    expect(choice(page, "Email", "Orders")).to_have_value("hourly")
    expect(choice(page, "Email", "Orders")).to_be_focused()
    expect(orders.locator("[data-channel=email] .source")).to_have_text("As for all")
    assert_soon(page, shop_site, user, "shop-orders", "email", ("hourly", "channel"))
    choice(page, "Email", "All categories").select_option("Not set")
    expect(choice(page, "Email", "News and offers")).to_have_value("weekly")
    expect(choice(page, "Email", "Orders")).to_have_value("instant")

    switch(page, "Inbox", "Orders").uncheck()
    expect(orders).to_contain_text("no other channel is used either")
    assert_soon(page, shop_site, user, "shop-orders", "inbox", ("off", "user"))


def assert_soon(
    page: Page, site: Site, user: str, category: str, channel: str, wanted: tuple[str, str]
) -> None:
    """Wait until the server holds a value."""
    for _ in range(100):
        if value(site, user, category, channel) == wanted:
            return
        page.wait_for_timeout(50)
    assert value(site, user, category, channel) == wanted


def test_a_required_category_is_locked_and_says_why(visit: Visit, shop_site: Site, user: str) -> None:
    page = show(visit(user).open())
    for control in (switch(page, "Inbox", "Security"), choice(page, "Email", "Security")):
        expect(control).to_be_disabled()
        expect(control).to_have_accessible_description("Always on: it cannot be switched off.")
    expect(switch(page, "Inbox", "Security")).to_be_checked()
    # A channel as a whole says nothing to it.
    choice(page, "Email", "All categories").select_option("Off")
    expect(choice(page, "Email", "News and offers")).to_have_value("off")
    expect(choice(page, "Email", "Security")).to_have_value("instant")


@pytest.mark.alone
def test_a_switch_in_one_is_in_the_others_within_a_second(visit: Visit, shop_site: Site, user: str) -> None:
    desk, phone = visit(user), visit(user, **PHONE)
    tabs = [desk.open(), desk.open(), phone.open()]
    desk.one_socket()
    for tab in tabs:
        show(tab)
    for here in tabs:
        here.page.bring_to_front()
        wanted = not switch(here.page, "Push", "Orders").is_checked()
        switch(here.page, "Push", "Orders").set_checked(wanted)
        look = f"{ROOT}.querySelector('[data-at=\"shop-orders push\"]').checked === {str(wanted).lower()}"
        took = max(tab.until(look) for tab in tabs)
        print(f"in every tab after {took * 1000:.0f} ms")
        assert took < 1 * crowding()


def test_nobody_asks_for_preferences_who_does_not_look(visit: Visit, shop_site: Site, user: str) -> None:
    visitor = visit(user)
    asked: list[str] = []
    visitor.context.on(
        "request", lambda request: asked.append(request.method) if PREFERENCES in request.url else None
    )
    scripts: list[str] = []
    visitor.context.on(
        "request",
        lambda request: scripts.append(request.url) if "bell-preferences.js" in request.url else None,
    )
    tab = visitor.open()
    tab.bell()
    change(shop_site, user, {"channels": {"push": "off"}})
    tab.until(f"{CLIENT}.store.seq === 1")
    assert (asked, scripts) == ([], [])

    tab.page.get_by_role("button", name="Preferences").click()
    expect(switch(tab.page, "Push", "Orders")).not_to_be_checked()
    assert asked == ["GET"]
    visitor.context.set_offline(True)
    tab.until(f"{CLIENT}.state !== 'live'", 40)
    change(shop_site, user, {"channels": {"push": "on"}})
    change(shop_site, user, {"channels": {"email": "off"}})
    visitor.context.set_offline(False)
    tab.live(40)
    expect(choice(tab.page, "Email", "Orders")).to_have_value("off")
    expect(switch(tab.page, "Push", "Orders")).to_be_checked()
    assert asked == ["GET", "GET"], "once after the interruption"

    tab.page.get_by_role("button", name="Back").click()
    expect(tab.page.get_by_role("button", name="Preferences")).to_be_focused()
    change(shop_site, user, {"channels": {"email": None}})
    tab.until(f"{CLIENT}.store.seq === 4")
    assert asked == ["GET", "GET"]


def answer(status: int, body: dict[str, Any]) -> Any:
    def fulfil(route: Route) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        route.fulfill(status=status, body=json.dumps(body), content_type="application/problem+json")

    return fulfil


def test_a_refused_change_is_taken_back_with_the_servers_words(visit: Visit, user: str) -> None:
    tab = visit(user).open()
    page = show(tab)
    alert = page.get_by_role("alert").filter(has_text="could not be saved")
    errors = [{"loc": ["categories", "shop-orders"], "msg": "no such category is defined"}]
    page.route(re.compile(PREFERENCES), answer(422, {"title": "Invalid input", "errors": errors}))
    switch(page, "Push", "Orders").click()
    expect(alert).to_contain_text("no such category is defined")
    expect(switch(page, "Push", "Orders")).to_be_checked()
    page.unroute(re.compile(PREFERENCES))

    page.route(re.compile(PREFERENCES), lambda route: route.abort())
    choice(page, "Email", "Orders").select_option("off")
    expect(alert).to_have_text("The change could not be saved.")
    expect(choice(page, "Email", "Orders")).to_have_value("instant")
    page.unroute(re.compile(PREFERENCES))
    choice(page, "Email", "Orders").select_option("off")
    expect(alert).to_be_hidden()
    expect(choice(page, "Email", "Orders")).to_have_value("off")


def test_what_cannot_be_loaded_says_so_and_can_be_tried_again(visit: Visit, user: str) -> None:
    tab = visit(user).open()
    page = tab.page
    tab.bell()
    page.route(re.compile(PREFERENCES), lambda route: route.fulfill(status=503, body="{}"))
    page.get_by_role("button", name="Preferences").click()
    expect(page.get_by_text("Could not be loaded.")).to_be_visible()
    page.unroute(re.compile(PREFERENCES))
    page.get_by_role("button", name="Try again").click()
    expect(switch(page, "Inbox", "Orders")).to_be_checked()


def test_quiet_hours_the_zone_and_a_pause(visit: Visit, shop_site: Site, user: str) -> None:
    page = show(visit(user, timezone_id="Asia/Tokyo").open())
    hours = page.get_by_role("switch", name="Quiet hours")
    hours.check()
    zone = page.get_by_role("combobox", name="Time zone")
    expect(zone).to_have_value("Asia/Tokyo")  # without one the hours would be the server's
    page.get_by_label("From").fill("21:30")
    page.get_by_label("To", exact=True).fill("06:15")
    page.get_by_role("checkbox", name="Sunday").uncheck()
    zone.select_option("Europe/Berlin")

    def held() -> bool:
        found = preferences(shop_site, user)
        wanted = {"from": "21:30", "to": "06:15", "days": ["mon", "tue", "wed", "thu", "fri", "sat"]}
        return bool(found["quiet_hours"] == wanted and found["timezone"] == "Europe/Berlin")

    for _ in range(100):
        if held():
            break
        page.wait_for_timeout(50)
    assert held(), preferences(shop_site, user)
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"):
        page.get_by_role("checkbox", name=day).uncheck()
    page.get_by_role("checkbox", name="Saturday").click()
    expect(page.get_by_role("alert").filter(has_text="at least one day")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Saturday")).to_be_checked()
    hours.uncheck()
    expect(page.get_by_label("From")).to_be_hidden()

    page.get_by_role("button", name="For an hour").click()
    resume = page.get_by_role("button", name="Resume")
    expect(resume).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="Paused until")).to_be_visible()
    resume.click()
    expect(page.get_by_role("button", name="For an hour")).to_be_focused()
    for name in ("Until tomorrow", "Until Monday"):
        page.get_by_role("button", name=name).click()
        expect(resume).to_be_visible()
        resume.click()
    expect(page.get_by_role("button", name="Until Monday")).to_be_visible()
    page.wait_for_timeout(200)
    found = preferences(shop_site, user)
    assert (found["quiet_hours"], found["paused_until"]) == (None, None)


def test_without_a_list_of_zones_there_is_a_short_one(visit: Visit, user: str) -> None:
    visitor = visit(user)
    visitor.context.add_init_script("Intl.supportedValuesOf = undefined")
    page = show(visitor.open())
    zone = page.get_by_role("combobox", name="Time zone")
    expect(zone.locator("option[value='Europe/Berlin']")).to_be_attached()
    expect(zone.locator("option[value='UTC']")).to_be_attached()


def noise(tab: Tab) -> tuple[int, int]:
    """Return how many desktop notifications and sounds there were."""
    return tab.js("window.shown"), tab.js("window.played")


def test_quiet_alerts_make_no_noise_anywhere_and_are_in_the_list(
    visit: Visit, shop_site: Site, user: str
) -> None:
    visitor = visit(user)
    visitor.context.add_init_script(NOISE)
    leader, follower = visitor.open(), visitor.open()
    visitor.one_socket()
    page = show(leader)
    page.get_by_role("button", name="For an hour").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    follower.until(f"{CLIENT}.store.seq === 1")
    leader.page.keyboard.press("Escape")
    leader.page.keyboard.press("Escape")
    for tab in (leader, follower):
        tab.js(
            f"{{ new MutationObserver(() => window.said.push('spoken')).observe({ROOT}, {{ childList: true, subtree: true,"
            " characterData: true }); }"
        )
        tab.js("{ window.said = []; }")

    shop_site.api.send(user, {"title": "Hush", "message": "m", "type": "error"})
    for tab in (leader, follower):
        tab.unread(1)
    # Hidden tabs would show it on the desktop; a tab that was away gets it in a replay.
    for tab in (leader, follower):
        tab.js("{ window.sight = 'hidden'; document.dispatchEvent(new Event('visibilitychange')); }")
    shop_site.send(user, "Hush again")
    for tab in (leader, follower):
        tab.unread(2)
    for tab in (follower, leader):
        tab.js(f"{CLIENT}.close()")
    shop_site.send(user, "While away")
    shop_site.arrived(user, 4)
    for tab in (leader, follower):
        tab.js(f"{CLIENT}.connect()")
    for tab in (leader, follower):
        tab.unread(3)
        tab.page.wait_for_timeout(400)  # longer than toasts are gathered
        assert noise(tab) == (0, 0)
        assert tab.js(f"{ROOT}.querySelectorAll('.toast').length") == 0
        assert (
            tab.js(
                f"[...{ROOT}.querySelectorAll('[aria-live]')].map((region) => region.textContent).join('')"
            )
            == ""
        )
    # What is required passes.
    for tab in (leader, follower):
        tab.js("{ window.sight = 'visible'; document.dispatchEvent(new Event('visibilitychange')); }")
    loud = {"title": "Loud", "message": "m", "type": "info"}
    assert shop_site.api.send(user, loud, category="shop-account").status == 202
    leader.until(f"{ROOT}.querySelector('.toast')")
    leader.until("window.played > 0")


def test_axe_finds_nothing_in_the_preferences(visit: Visit, user: str) -> None:
    tab = visit(user, bypass_csp=True, reduced_motion="reduce").open()
    page = show(tab)
    page.get_by_role("switch", name="Quiet hours").check()
    page.get_by_role("button", name="For an hour").click()
    switch(page, "Push", "Orders").uncheck()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.route(re.compile(PREFERENCES), answer(422, {"title": "Invalid input"}))
    switch(page, "Inbox", "Orders").click()
    expect(page.get_by_role("alert").filter(has_text="could not be saved")).to_be_visible()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 780})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert violations(tab) == [], f"{width} {scheme}"


def test_at_400_percent_nothing_is_cut_off(visit: Visit, user: str) -> None:
    for query in ("", "lang=de", "lang=ar&dir=rtl"):
        tab = visit(user, viewport={"width": 320, "height": 256}).open(query)
        tab.bell()
        tab.page.locator("#bell [part~=preferences-button]").click()
        tab.until(f"{ROOT}.querySelector('tr[data-category]')")
        assert tab.js(f"{ROOT}.querySelector('.preferences .scroll').scrollWidth") <= 320
        wide = tab.js(
            f"[...{ROOT}.querySelectorAll('.preferences select, .preferences input, .preferences button')]"
            ".filter((one) => one.getClientRects().length).map((one) => one.getBoundingClientRect())"
            ".filter(({ left, right }) => left < 0 || right > 320).length"
        )
        assert wide == 0, query


def test_by_keyboard_alone(visit: Visit, shop_site: Site, user: str) -> None:
    tab = visit(user).open()
    page = tab.page

    def focus() -> str:
        name: str = tab.js(
            f"(({{ activeElement: one }}) => one.getAttribute('aria-label') ?? one.dataset.key ?? (one.textContent.trim().slice(0, 20)"
            f" || one.getAttribute('aria-labelledby')))({ROOT})"
        )
        return name

    def tab_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if focus() == name:
                return
        raise AssertionError(f"Tab does not reach {name}")

    tab.js("document.querySelector('#bell').focus()")
    page.keyboard.press("Enter")
    tab_to("Preferences")
    page.keyboard.press("Enter")
    expect(page.locator("#bell .preferences")).to_be_focused()
    expect(page.get_by_role("dialog", name="Preferences")).to_be_visible()
    expect(switch(page, "Push", "Orders")).to_be_checked()
    tab_to("Back")
    tab_to("For an hour")
    tab_to("Push: Orders")
    page.keyboard.press("Space")
    expect(switch(page, "Push", "Orders")).not_to_be_checked()
    tab_to("Back to the default: Push: Orders")
    page.keyboard.press("Enter")
    expect(switch(page, "Push", "Orders")).to_be_checked()
    expect(switch(page, "Push", "Orders")).to_be_focused()
    tab_to("Email: All categories")
    page.keyboard.press("ArrowDown")
    expect(choice(page, "Email", "Orders")).to_have_value("off")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Preferences")).to_be_focused()
    expect(page.get_by_role("dialog", name="Notifications")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#bell .bell")).to_be_focused()
