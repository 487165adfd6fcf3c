"""Desktop notifications: only with consent, and once, whichever tab is visible."""

from __future__ import annotations

import pytest

from tests.acceptance.browser import BELL, Tab, Visit, chrome, shop_site, visit
from tests.harness.site import Site

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser

# Chromium without a screen shows no desktop notification, and calls every tab visible: both are simulated.
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


LOCKS = "(await navigator.locks.query()).held.filter(({ name }) => name === 'notifier.in-sight').length"


def look(tab: Tab, sight: str, *, in_sight: int) -> None:
    """Show or hide the tab; wait until this number of tabs is known to be visible."""
    tab.js(f"{{ window.sight = {sight!r}; document.dispatchEvent(new Event('visibilitychange')) }}")
    tab.wait(lambda: tab.page.evaluate(f"async () => {LOCKS}") == in_sight, 10, f"{in_sight} in sight")


def decided(*tabs: Tab, unread: int) -> None:
    """Wait until every tab has the alert and has asked whether another one is visible."""
    for tab in tabs:
        tab.until(f"{BELL}.client.store.unread === {unread}")
    for tab in tabs:
        tab.page.evaluate(f"async () => {LOCKS}")


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
    look(leader, "hidden", in_sight=1)
    look(other, "hidden", in_sight=0)
    shop_site.send(user, "Quiet")
    decided(leader, other, unread=1)
    assert shown(leader, other) == []


def test_one_desktop_notification_when_no_tab_is_in_sight(visit: Visit, shop_site: Site, user: str) -> None:
    leader, other = desk(visit, user)
    leader.js(CONSENT)
    look(leader, "hidden", in_sight=1)
    look(other, "hidden", in_sight=0)
    shop_site.send(user, "Nobody looks")
    leader.until("window.shown.length === 1")
    decided(leader, other, unread=1)
    assert [line.split(":")[0] for line in shown(leader, other)] == ["Nobody looks"]


def test_none_while_another_tab_is_in_sight(visit: Visit, shop_site: Site, user: str) -> None:
    leader, other = desk(visit, user)
    leader.js(CONSENT)
    look(leader, "hidden", in_sight=1)
    shop_site.send(user, "A toast is enough")
    other.until(f"{BELL}.shadowRoot.querySelector('.toast')")
    decided(leader, other, unread=1)
    assert shown(leader, other) == []
    look(other, "hidden", in_sight=0)
    shop_site.send(user, "Now nobody looks")
    leader.until("window.shown.length === 1")
    look(other, "visible", in_sight=1)
    shop_site.send(user, "And again")
    decided(leader, other, unread=3)
    assert len(shown(leader, other)) == 1
