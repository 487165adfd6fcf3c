"""Browser facilities that are absent, throw, reject or hang: the page stays responsive and the bell live."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.acceptance.browser import ARGS, Tab, Visit, Visitor, chrome, chromium, shop_site, visit
from tests.harness.site import Site

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser

# What each mode does to a facility. `calls` counts how often it was asked; `longest` is the longest time
# in ms for which a timer of 20 ms did not run.
PLAYED = """
window.calls = 0; window.longest = 0;
{ let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    window.longest = Math.max(window.longest, now - last);
    last = now;
  }, 20); }
const blocked = () => new DOMException('blocked', 'SecurityError');
const throwing = () => { window.calls += 1; throw blocked(); };
const rejecting = () => { window.calls += 1; return Promise.reject(blocked()); };
const hanging = () => { window.calls += 1; return new Promise(() => {}); };
const instead = (owner, name, get) => Object.defineProperty(owner, name, { configurable: true, get });
const absent = (owner, name) => { delete owner[name]; instead(owner, name, () => undefined); };
"""
FACILITIES = {
    "locks absent": "absent(Navigator.prototype, 'locks')",
    "locks forbidden": "instead(Navigator.prototype, 'locks', throwing)",
    "locks throwing": "LockManager.prototype.request = LockManager.prototype.query = throwing",
    "locks rejecting": "LockManager.prototype.request = LockManager.prototype.query = rejecting",
    "locks hanging": "LockManager.prototype.request = LockManager.prototype.query = hanging",
    "BroadcastChannel absent": "absent(window, 'BroadcastChannel')",
    "BroadcastChannel forbidden": "instead(window, 'BroadcastChannel', throwing)",
    "BroadcastChannel throwing": "window.BroadcastChannel = class { constructor() { throwing(); } }",
    "BroadcastChannel failing": "BroadcastChannel.prototype.postMessage = throwing",
    "BroadcastChannel swallowing": "BroadcastChannel.prototype.postMessage = () => { window.calls += 1; }",
    "storage absent": "absent(window, 'localStorage')",
    "storage forbidden": "instead(window, 'localStorage', throwing)",
    "storage full": "Storage.prototype.setItem = throwing",
    "Notification absent": "absent(window, 'Notification')",
    "Notification forbidden": "instead(window, 'Notification', throwing)",
    "Notification throwing": "Notification.requestPermission = throwing",
    "Notification rejecting": "Notification.requestPermission = rejecting",
    "Notification hanging": "Notification.requestPermission = hanging",
    "everything forbidden": "instead(Navigator.prototype, 'locks', throwing);"
    "for (const name of ['BroadcastChannel', 'localStorage', 'Notification', 'AudioContext'])"
    " instead(window, name, throwing)",
}


def goes_on(site: Site, user: str, *tabs: Tab) -> None:
    """Assert that every tab is live, responsive, and rarely asks for what it cannot have."""
    for tab in tabs:
        tab.js("{ window.longest = 0; window.calls = 0 }")
    for number in range(2):
        site.send(user, f"Alert {number}")
        for tab in tabs:
            tab.unread(number + 1)
    for tab in tabs:
        tab.bell()
        tab.page.locator("#bell article").nth(1).wait_for()
        tab.page.locator("#bell [part~=settings]").click()
        tab.page.wait_for_timeout(1_500)  # the number of attempts in this time is counted
        assert tab.js("window.calls") <= 12
        assert tab.js("window.longest") < 1_000
        tab.page.locator("#bell [part~=close]").click()


@pytest.mark.parametrize("facility", FACILITIES)
def test_the_bell_is_live_without(visit: Visit, shop_site: Site, user: str, facility: str) -> None:
    desk = visit(user)
    desk.context.add_init_script(PLAYED + FACILITIES[facility])
    goes_on(shop_site, user, desk.open(), desk.open())


def test_desktop_notifications_that_cannot_be_asked_for_stay_off(
    visit: Visit, shop_site: Site, user: str
) -> None:
    desk = visit(user)
    desk.context.add_init_script(PLAYED + FACILITIES["Notification rejecting"])
    tab = desk.open()
    tab.bell()
    tab.page.locator("#bell [part~=settings]").click()
    switch = tab.page.get_by_role("switch", name="Show on the desktop")
    switch.click()
    tab.until("window.calls === 1")
    assert not switch.is_checked()


def test_a_browser_that_blocks_all_site_data(
    chrome: Browser, shop_site: Site, user: str, tmp_path: Path
) -> None:
    """Chromium's own setting: storage throws, and locks are refused."""
    preferences = tmp_path / "Default" / "Preferences"
    preferences.parent.mkdir()
    blocking = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    preferences.write_text(json.dumps(blocking), "utf-8")
    context = chrome.browser_type.launch_persistent_context(tmp_path, executable_path=chromium(), args=ARGS)
    try:
        desk = Visitor(context, shop_site, user)
        context.add_init_script(PLAYED)
        tabs = [desk.open(), desk.open()]
        for tab in tabs:
            kind = tab.js("{ try { return typeof localStorage } catch (error) { return error.name } }")
            assert kind == "SecurityError", "the setting holds"
        goes_on(shop_site, user, *tabs)
        assert [line for tab in tabs for line in tab.trouble] == []
    finally:
        context.close()
