"""Accessibility of the bell: axe-core finds nothing, and the keyboard reaches everything."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser import CLIENT, ROOT, Tab, Visit, axe_source, chrome, shop_site, visit
from tests.harness.site import Site

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS = {
    "light": ("lang=en", {"color_scheme": "light"}),
    "dark": ("lang=en", {"color_scheme": "dark"}),
    "right to left": ("lang=ar&dir=rtl", {"color_scheme": "light"}),
    "right to left, dark": ("lang=ar&dir=rtl", {"color_scheme": "dark"}),
    "phone": ("lang=de", {"viewport": {"width": 360, "height": 640}}),
}


def violations(page: Page) -> list[str]:
    """What axe-core finds, a line for each."""
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations'],"
        " rules: {'label-content-name-mismatch': {enabled: true}}})",
        TAGS,
    )
    return [
        f"{one['id']}: {one['help']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def fill(site: Site, user: str) -> None:
    """One alert of each type, with and without an action, one of them read."""
    for kind in ("info", "warning", "error", "success"):
        site.api.send(
            user, {"title": f"A {kind}", "message": f"Something of the type {kind}.\n" * 6, "type": kind}
        )
    action = {"label": "Track Order", "url": "/orders/7/track"}
    site.api.send(user, {"title": "With an action", "message": "m", "type": "info", "action": action})
    site.arrived(user, 5)
    with site.user(user) as api:
        api.post("/api/inbox/read", {"through": 1})


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(visit: Visit, shop_site: Site, user: str, look: str) -> None:
    source = axe_source()
    query, options = LOOKS[look]
    fill(shop_site, user)
    tab = visit(user, reduced_motion="reduce", bypass_csp=True, **options).open(query)
    tab.page.add_script_tag(content=source)
    tab.until(f"{CLIENT}.store.unread === 4")
    assert violations(tab.page) == [], "closed"
    shop_site.api.send(
        user, {"title": "A toast", "message": "m", "type": "error", "action": {"label": "See", "url": "/x"}}
    )
    tab.until(f"{ROOT}.querySelector('.toast')")
    assert violations(tab.page) == [], "with a toast"
    tab.bell()
    tab.until(f"{ROOT}.querySelectorAll('article').length >= 5")
    tab.js(f"{{ {ROOT}.querySelector('.scroll').scrollTop = 1e6 }}")  # a phone shows the end only then
    tab.until(f"{ROOT}.querySelectorAll('article').length === 6")
    assert violations(tab.page) == [], "open"
    tab.page.locator("#bell [part~=settings]").click()
    assert violations(tab.page) == [], "with its settings"
    tab.page.locator("#bell [part=archive]").first.click()
    tab.until(f"{ROOT}.querySelector('.undo:not([data-none])')")
    assert violations(tab.page) == [], "with Undo"
    tab.page.locator("#bell [role=tab]").last.click()
    assert violations(tab.page) == [], "archived"


def test_axe_finds_nothing_in_an_empty_or_broken_bell(visit: Visit, user: str) -> None:
    source = axe_source()
    tab = visit(user, bypass_csp=True, reduced_motion="reduce").open()
    tab.page.add_script_tag(content=source)
    tab.bell()
    tab.until(f"{ROOT}.querySelector('.blank').textContent.includes('Nothing here yet')")
    assert violations(tab.page) == [], "empty"
    tab.visitor.context.set_offline(True)
    tab.until(f"{ROOT}.querySelector('.note').textContent.includes('Offline')", 40)
    assert violations(tab.page) == [], "offline"
    tab.visitor.context.set_offline(False)
    tab.live()


@pytest.mark.parametrize("address", ["/?customer=customer-3", "/shop/theme", "/orders/2/track"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_shop(chrome: Browser, shop_site: Site, address: str, scheme: Any) -> None:
    context = chrome.new_context(bypass_csp=True, reduced_motion="reduce", color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{shop_site.backend.base_url}{address}")
    page.locator(".bell[data-state=live]").wait_for()
    page.add_script_tag(content=axe_source())
    assert violations(page) == [], "closed"
    page.locator("notification-bell .bell").click()
    page.get_by_role("tab", name="All").wait_for()
    assert violations(page) == [], "open"
    context.close()


def focused(tab: Tab) -> str:
    """Return a name of the element with the focus: in the bell its label, text or part; outside its id."""
    name: str = tab.js(
        f"""(() => {{
          const inner = {ROOT}.activeElement;
          if (!inner) return document.activeElement.id || document.activeElement.tagName;
          return inner.getAttribute('aria-label') ?? inner.dataset.id ?? inner.textContent.trim();
        }})()"""
    )
    return name


def press(tab: Tab, *keys: str) -> str:
    for key in keys:
        tab.page.keyboard.press(key)
    return focused(tab)


def test_the_keyboard_walk(visit: Visit, shop_site: Site, user: str) -> None:
    action = {"label": "Track Order", "url": "/test/page?tracked"}
    ids = []
    for number in range(4):
        data = {
            "title": f"Alert {number}",
            "message": "m",
            "type": "info",
            **({"action": action} if number == 3 else {}),
        }
        ids.append(shop_site.api.send(user, data).json["id"])
    newest = list(reversed(ids))
    tab = visit(user).open()
    tab.unread(4)
    tab.js("document.querySelector('#before').focus()")

    assert press(tab, "Tab") == "Notifications, 4 unread"
    press(tab, "Enter")
    tab.until(f"{ROOT}.querySelectorAll('article').length === 4")
    assert tab.js(f"{ROOT}.activeElement.id") == "panel", "opening moves the focus into the panel"
    assert tab.js(f"{ROOT}.querySelector('.bell').getAttribute('aria-expanded')") == "true"
    assert press(tab, "Tab") == "Mark all as read"
    assert press(tab, "Tab") == "Settings"
    assert press(tab, "Tab") == "Close"

    assert press(tab, "ArrowDown") == newest[0]
    assert press(tab, "ArrowDown", "ArrowDown") == newest[2]
    assert press(tab, "ArrowUp") == newest[1]
    assert press(tab, "End") == newest[3]
    assert press(tab, "ArrowDown") == newest[3], "the end is the end"
    assert press(tab, "Home") == newest[0]

    assert press(tab, "Tab") == "Track Order"
    assert press(tab, "Tab") == "Mark as read: Alert 3"
    press(tab, "Space")
    tab.unread(3)
    assert focused(tab) == "Mark as unread: Alert 3", "the same button, with its new meaning"
    assert press(tab, "Tab") == "Snooze: Alert 3"
    press(tab, "Enter")
    assert tab.js(f"{ROOT}.activeElement.textContent") == "In an hour"
    press(tab, "ArrowDown", "ArrowUp", "ArrowUp")
    assert tab.js(f"{ROOT}.activeElement.textContent") == "On a date…"
    press(tab, "Escape")
    assert focused(tab) == "Snooze: Alert 3", "the menu is closed, the panel is not"
    assert press(tab, "Tab") == "Archive: Alert 3"
    press(tab, "Enter")
    tab.until(f"{CLIENT}.items.length === 3")
    tab.until(f"{ROOT}.activeElement?.dataset.id === '{newest[1]}'")
    press(tab, "Delete")
    tab.until(f"{CLIENT}.items.length === 2")
    tab.until(f"{ROOT}.activeElement?.dataset.id === '{newest[2]}'")
    press(tab, "Enter")
    tab.unread(1)

    press(tab, "Escape")
    assert focused(tab).startswith("Notifications"), "the focus is back on the bell"
    assert not tab.js(f"{ROOT}.querySelector('.panel').matches(':popover-open')")
    press(tab, "ArrowDown")
    assert tab.js(f"{ROOT}.activeElement.id") == "panel", "arrow down opens too"
    for _ in range(12):
        if press(tab, "Tab") == "after":
            break
    assert focused(tab) == "after", "Tab leads out of the panel"
    assert not tab.js(f"{ROOT}.querySelector('.panel').matches(':popover-open')"), "and closes it"


def test_enter_on_an_entry_follows_its_action(visit: Visit, shop_site: Site, user: str) -> None:
    action = {"label": "Track Order", "url": "/test/page?tracked"}
    shop_site.api.send(user, {"title": "t", "message": "m", "type": "info", "action": action})
    tab = visit(user).open()
    tab.unread(1)
    tab.bell()
    tab.until(f"{ROOT}.querySelector('article')")
    press(tab, "ArrowDown")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/test/page?tracked")
    tab.live()
    tab.unread(0)


def test_arrivals_are_spoken_politely_errors_at_once(visit: Visit, shop_site: Site, user: str) -> None:
    tab = visit(user).open()
    shop_site.send(user, "Polite")
    expect(tab.page.locator("#bell [role=status][aria-live=polite]")).to_contain_text("Info: Polite. m")
    shop_site.api.send(user, {"title": "Broken", "message": "m", "type": "error"})
    expect(tab.page.locator("#bell [role=alert][aria-live=assertive]")).to_contain_text("Error: Broken. m")


def test_toasts_stack_to_three_and_stay_under_the_pointer(visit: Visit, shop_site: Site, user: str) -> None:
    tab = visit(user).open()
    tab.page.clock.install()
    for number in range(3):
        shop_site.send(user, f"Alert {number}")
        tab.until(f"{CLIENT}.store.unread === {number + 1}")
        tab.page.clock.run_for(200)
        expect(tab.page.locator("#bell .toast")).to_have_count(number + 1)
    shop_site.send(user, "Alert 3")
    tab.until(f"{CLIENT}.store.unread === 4")
    tab.page.clock.run_for(200)
    toasts = tab.page.locator("#bell .toast .title")
    expect(toasts).to_have_text(["Alert 1", "Alert 2", "Alert 3"])
    toasts.first.hover()
    tab.page.clock.run_for(60_000)
    expect(toasts).to_have_count(3)
    tab.page.mouse.move(0, 0)
    tab.page.clock.run_for(60_000)
    expect(toasts).to_have_count(0)
