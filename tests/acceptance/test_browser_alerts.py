"""Desktop notifications: by consent only, and once, wherever the user looks."""

from __future__ import annotations

import pytest

from tests.acceptance.browser import BELL, Tab, Visit, chrome, shop_site, visit
from tests.harness.site import Site

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser

# Chromium without a screen shows no desktop notification, and calls every tab visible: both are played.
PLAYED = """
window.sight = "visible"; window.shown = [];
Object.defineProperty(document, "visibilityState", { get: () => window.sight });
window.Notification = class {
    static permission = "granted";
    static requestPermission = async () => "granted";
    constructor(title, options) { window.shown.push(`${title}: ${options.body}`); }
    close() {}
};
"""
CONSENT = "localStorage.setItem('notifier.desktop', 'on')"


def look(tab: Tab, sight: str) -> None:
    """The tab comes into sight, or goes out of it."""
    tab.js(f"{{ window.sight = {sight!r}; document.dispatchEvent(new Event('visibilitychange')) }}")


def desk(visit: Visit, user: str) -> tuple[Tab, Tab]:
    """A browser with two tabs of a user, the first one leading."""
    visitor = visit(user)
    visitor.context.add_init_script(PLAYED)
    leader, other = visitor.open(), visitor.open()
    assert leader.js(f"{BELL}.client.leading")
    return leader, other


def shown(*tabs: Tab) -> list[str]:
    return [title for tab in tabs for title in tab.js("window.shown")]


def test_without_consent_nothing_is_shown(visit: Visit, shop_site: Site, user: str) -> None:
    leader, other = desk(visit, user)
    for tab in (leader, other):
        look(tab, "hidden")
    shop_site.send(user, "Quiet")
    other.until(f"{BELL}.client.store.unread === 1")
    leader.page.wait_for_timeout(300)
    assert shown(leader, other) == []


def test_one_desktop_notification_when_no_tab_is_in_sight(visit: Visit, shop_site: Site, user: str) -> None:
    leader, other = desk(visit, user)
    leader.js(CONSENT)
    for tab in (leader, other):
        look(tab, "hidden")
    leader.page.wait_for_timeout(300)
    shop_site.send(user, "Nobody looks")
    leader.until("window.shown.length === 1")
    other.page.wait_for_timeout(300)
    assert [line.split(":")[0] for line in shown(leader, other)] == ["Nobody looks"]


def test_none_while_another_tab_is_in_sight(visit: Visit, shop_site: Site, user: str) -> None:
    leader, other = desk(visit, user)
    leader.js(CONSENT)
    look(leader, "hidden")
    leader.page.wait_for_timeout(300)
    shop_site.send(user, "A toast is enough")
    other.until(f"{BELL}.shadowRoot.querySelector('.toast')")
    leader.page.wait_for_timeout(300)
    assert shown(leader, other) == []
    look(other, "hidden")
    leader.page.wait_for_timeout(300)
    shop_site.send(user, "Now nobody looks")
    leader.until("window.shown.length === 1")
    look(other, "visible")
    leader.page.wait_for_timeout(300)
    shop_site.send(user, "And again")
    other.until(f"{BELL}.client.store.unread === 3")
    leader.page.wait_for_timeout(300)
    assert len(shown(leader, other)) == 1
