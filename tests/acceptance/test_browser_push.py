"""Push in a real Firefox: the demo's page subscribes, the service sends, the browser decrypts, shows and opens.

Nothing is replaced but Mozilla's push service, by `harness/autopush.py`. Chromium can subscribe at Google's alone, so
there the message is handed to the worker by the browser's own debugger (`ServiceWorker.deliverPushMessage`).
See docs/contract.md#10-channels-to-those-who-are-not-there.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.browser import chrome, shop_site
from tests.harness import backends, marionette
from tests.harness.autopush import Autopush, autopush
from tests.harness.marionette import Firefox, firefox
from tests.harness.site import Site, running_site
from tests.harness.waiting import POLL_SECONDS, until

__all__ = ["chrome", "shop_site"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

CUSTOMER = "customer-1"
SHOP = f"/?customer={CUSTOMER}"
TRACK = "/orders/{}/track"
REGISTRATION = "const [worker] = await navigator.serviceWorker.getRegistrations();"
ALERT = "const alert = [...Services.wm.getEnumerator('alert:alert')][0];"
PREFS = {
    "dom.push.testing.allowInsecureServerURL": True,
    "dom.push.retryBaseInterval": 200,  # ms before it comes back to a push service that was away
    "security.notification_enable_delay": 0,  # ms for which a question takes no click
    "alerts.useSystemBackend": False,  # Firefox's own window: a test has no desktop
}


@dataclass
class Scene:
    """A browser with the demo's page, a push service, and the site."""

    browser: Firefox
    service: Autopush
    site: Site

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self.browser.page(f"return {expression}")

    def until(self, expression: str, what: str) -> None:
        """Wait until an expression is true in the page."""
        until(lambda: bool(self.ask(f"Boolean({expression})")), 20, what)

    def subscribe(self) -> None:
        """Press the demo's button, and allow what Firefox asks."""
        self.until("document.querySelector('#push')?.hidden === false", "the button")
        self.browser.click("#push")
        asked = "return window.PopupNotifications.panel.state === 'open' && Boolean(PopupNotifications.panel.firstElementChild)"
        until(lambda: self.browser.browser(asked), 20, "Firefox's question")
        self.browser.browser("PopupNotifications.panel.firstElementChild.button.click()")
        self.until("document.querySelector('#push').hidden", "the subscription")

    def send(self, title: str, order: str = "7") -> str:
        """Send an alert about an order; return its id."""
        data = {"title": title, "message": "It is on its way.", "type": "info",
                "action": {"label": "Track", "url": TRACK.format(order)}}  # fmt: skip
        answer = self.site.api.send(CUSTOMER, data, category="shop-orders")
        assert answer.status == 202, answer
        identity: str = answer.json["id"]
        return identity

    def shown(self) -> list[list[str]]:
        """Title, text and id of the notifications that are shown."""
        found: list[list[str]] = self.browser.page(
            f"{REGISTRATION} return (await worker.getNotifications()).map((one) => [one.title, one.body, one.tag])"
        )
        return found

    def sent(self, identity: str) -> dict[str, int]:
        """How many rows of a notification's push are in which state."""
        found: dict[str, int] = self.site.api.notification(identity).json["channels"].get("push", {})
        return found

    def unread(self) -> int:
        """What the service counts."""
        with self.site.user(CUSTOMER) as user:
            count: int = user.inbox().json["unread"]
        return count


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Yield a Firefox at the demo's page, subscribed."""
    path = marionette.program()
    if path is None:
        missing = "Firefox is not installed (Debian: apt install firefox-esr; or set FIREFOX)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with autopush() as service, backends.open_backend("embedded", tmp_path / "var") as backend:
        backend.env["NOTIFIER_PUSH_HOSTS"] = service.host
        prefs = PREFS | {"dom.push.serverURL": service.websocket_url}
        with running_site(backend, tmp_path) as site, firefox(path, tmp_path, prefs) as browser:
            browser.open(backend.base_url + SHOP)
            scene = Scene(browser, service, site)
            scene.subscribe()
            yield scene


def test_a_push_is_shown_and_a_click_opens_its_page_and_reads_the_entry(scene: Scene) -> None:
    identity = scene.send("Order 7 Shipped")
    # The browser has decrypted it (100 is its code for "delivered"), and shows it in a window of its own.
    until(
        lambda: [one.partition(" ")[2] for one in scene.service.acked] == ["100"], 20, "the browser's answer"
    )
    assert scene.service.refused == []
    until(scene.shown, 10, "the notification")
    assert scene.shown() == [["Order 7 Shipped", "It is on its way.", identity]]
    until(lambda: scene.sent(identity) == {"sent": 1}, 10, "the row's state")
    shown = f"{ALERT} return alert?.document.getElementById('alertTitleLabel')?.value"
    until(lambda: scene.browser.browser(shown) == "Order 7 Shipped", 10, "Firefox's window")
    assert scene.unread() == 1

    scene.browser.browser(f"{ALERT} alert.document.getElementById('alertBox').click()")

    opened = "return gBrowser.tabs.map((tab) => tab.linkedBrowser.currentURI.spec)"
    track = scene.site.backend.base_url + TRACK.format(7)
    until(lambda: track in scene.browser.browser(opened), 10, "the page that the notification opens")
    until(lambda: scene.unread() == 0, 10, "the entry is read")
    until(lambda: scene.shown() == [], 10, "it is closed")


def test_what_is_read_in_the_page_is_no_longer_shown(scene: Scene) -> None:
    first, second = scene.send("One"), scene.send("Two")
    until(lambda: len(scene.shown()) == 2, 20, "two notifications")
    scene.ask(f"document.querySelector('#bell').client.read({json.dumps(first)})")
    until(lambda: [tag for _, _, tag in scene.shown()] == [second], 10, "the first is closed")


def test_a_browser_that_its_push_service_forgot_subscribes_again(scene: Scene) -> None:
    [before] = scene.service.subscriptions
    scene.service.forget()
    # Firefox tells the worker (`pushsubscriptionchange`), and the worker tells the service.
    until(lambda: bool(scene.service.subscriptions), 30, "a new subscription")
    assert before not in scene.service.subscriptions
    until(lambda: scene.site.rows("addresses") == 2, 10, "the new endpoint")

    identity = scene.send("Still there")

    until(lambda: [title for title, _, _ in scene.shown()] == ["Still there"], 20, "the notification")
    # The old endpoint answers 410, so its address is gone.
    until(lambda: scene.sent(identity) == {"sent": 1, "gone": 1}, 10, "both rows")


def wait(page: Page, condition: Callable[[], Any], what: str) -> None:
    """Wait until a condition is true, while the browser keeps running."""
    ends = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < ends, what
        page.wait_for_timeout(POLL_SECONDS * 1000)


def test_chromium_shows_what_the_debugger_delivers(chrome: Browser, shop_site: Site) -> None:
    base = shop_site.backend.base_url
    context = chrome.new_context(permissions=["notifications"], base_url=base)
    page = context.new_page()
    page.goto(SHOP)
    versions: list[Any] = []
    debugger = context.new_cdp_session(page)
    debugger.on("ServiceWorker.workerVersionUpdated", lambda event: versions.extend(event["versions"]))
    debugger.send("ServiceWorker.enable")
    wait(page, lambda: any(one["status"] == "activated" for one in versions), "the worker")
    content = {
        "id": "1",
        "title": "Order 7 Shipped",
        "body": "On its way.",
        "url": f"{base}/orders/7/track",
        "token": "t",
    }
    debugger.send("ServiceWorker.deliverPushMessage", {
        "origin": base, "registrationId": versions[-1]["registrationId"], "data": json.dumps(content)})  # fmt: skip
    shown = f"""async () => {{ {REGISTRATION}
        return (await worker.getNotifications()).map((one) => [one.title, one.body, one.tag, one.data.url]) }}"""
    wait(page, lambda: page.evaluate(shown), "the notification")
    assert page.evaluate(shown) == [["Order 7 Shipped", "On its way.", "1", f"{base}/orders/7/track"]]
    context.close()
