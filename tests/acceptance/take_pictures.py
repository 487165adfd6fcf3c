"""Take the pictures of the docs from a running site, again: `make pictures`.

`python -m tests.acceptance.take_pictures FOLDER` takes more, of every state, to look at.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.acceptance.browser import CLIENT, ROOT, Tab, Visitor, launched
from tests.harness import backends
from tests.harness.past import DAYS, write_past
from tests.harness.site import Site, running_site
from tests.harness.waiting import until

IMAGES = Path(__file__).parents[2] / "docs" / "images"
ALERTS: list[dict[str, Any]] = [
    {"title": "Welcome", "message": "Your account is ready.", "type": "info"},
    {"title": "Payment failed", "message": "Your card was declined.", "type": "error",
     "action": {"label": "Pay again", "url": "/orders/3/pay"}},
    {"title": "Delivery is late", "message": "A storm holds up the ferry.", "type": "warning"},
    {"title": "Order Shipped", "message": "Your order #2 has been shipped!", "type": "success",
     "action": {"label": "Track Order", "url": "/orders/2/track"}},
]  # fmt: skip
ARABIC: list[dict[str, Any]] = [
    {"title": "تم تأكيد الطلب", "message": "سنرسله خلال يومين.", "type": "info"},
    {"title": "تم شحن الطلب", "message": "طلبك رقم 2 في الطريق إليك.", "type": "success",
     "action": {"label": "تتبع الطلب", "url": "/orders/2/track"}},
]  # fmt: skip
DESK = {"width": 900, "height": 620}


def take(browser: Browser, site: Site, folder: Path) -> None:
    """Take a picture of every state."""

    def tab(user: str, query: str = "", **options: Any) -> Tab:
        options = {"viewport": DESK, "reduced_motion": "reduce", "color_scheme": "light", **options}
        return Visitor(browser.new_context(**options), site, user).open(query)

    def fill(user: str, alerts: list[dict[str, Any]]) -> None:
        for data in alerts:
            assert site.api.send(user, data).status == 202
        site.arrived(user, len(alerts))
        with site.user(user) as api:
            api.post("/api/inbox/read", {"through": 1})

    def shot(page: Tab, name: str) -> None:
        page.page.screenshot(path=folder / f"{name}.png")

    def opened(page: Tab, rows: int, name: str) -> None:
        page.bell()
        page.until(f"{ROOT}.querySelectorAll('article').length === {rows} && {CLIENT}.store.complete")
        page.page.mouse.move(10, 400)
        shot(page, name)

    fill("light", ALERTS)
    opened(tab("light"), 4, "panel-light")
    opened(tab("light", color_scheme="dark"), 4, "panel-dark")
    opened(tab("light", "lang=de", viewport={"width": 390, "height": 700}), 4, "phone")
    fill("rtl", ARABIC)
    opened(tab("rtl", "lang=ar&dir=rtl"), 2, "panel-rtl")

    empty = tab("empty")
    empty.bell()
    empty.until(f"{ROOT}.querySelector('.blank').textContent.includes('Nothing here yet')")
    shot(empty, "empty")
    empty.page.locator("#bell [part~=settings]").click()
    shot(empty, "settings")

    chosen = tab("chosen", viewport={"width": 900, "height": 760})
    with site.user("chosen") as api:
        api.prefer(
            {
                "categories": {"shop-orders": {"email": "daily"}},
                "quiet_hours": {"from": "22:00", "to": "07:00"},
            }
        )
    chosen.bell()
    chosen.page.get_by_role("button", name="Preferences").click()
    chosen.until(f"{ROOT}.querySelector('.reset:not([hidden])')")
    shot(chosen, "preferences")

    toasts = tab("toasts")
    for data in ALERTS[1:]:
        site.api.send("toasts", data)
    toasts.until(f"{ROOT}.querySelectorAll('.toast').length === 3")
    shot(toasts, "toasts")

    away = tab("light")
    away.visitor.context.set_offline(True)
    away.until(f"{CLIENT}.state === 'offline'", 40)
    away.bell()
    away.until(f"{ROOT}.querySelector('.foot').textContent.includes('Try again')")
    shot(away, "offline")

    out = tab("light")
    token = site.backend.token("light", -60)
    out.page.evaluate("token => document.querySelector('#bell').setAttribute('token', token)", token)
    out.until(f"{CLIENT}.state === 'unauthorized'")
    out.bell()
    shot(out, "signed-out")

    # An order is shipped once: each picture has a customer of its own.
    for customer, (name, options) in enumerate(
        {
            "shop": {},
            "shop-dark": {"color_scheme": "dark"},
            "shop-phone": {"viewport": {"width": 390, "height": 780}},
        }.items(),
        1,
    ):
        context = browser.new_context(
            **{
                "viewport": {"width": 1080, "height": 640},
                "color_scheme": "light",
                "reduced_motion": "reduce",
                **options,
            }
        )
        page = context.new_page()
        page.goto(f"{site.backend.base_url}/?customer=customer-{customer}")
        page.locator(".bell[data-state=live]").wait_for()
        ship = page.locator("[data-ship]").first
        order = ship.get_attribute("data-ship")
        ship.click()
        page.locator("notification-bell .toast").wait_for()
        page.get_by_role("button", name="One more of messages").click()
        page.locator("notification-badge[type=messages]:not([hidden])").wait_for()
        if name == "shop":
            page.locator("notification-bell .bell").click()
            page.locator("notification-bell article").first.wait_for()
        page.mouse.move(5, 500)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=folder / f"{name}.png")
        page.goto(f"{site.backend.base_url}/orders/{order}/track")
        page.locator(".bell[data-state=live]").wait_for()
        page.screenshot(path=folder / f"{name}-track.png")
        context.close()


def take_reports(browser: Browser, site: Site, folder: Path) -> None:
    """Take pictures of the dashboard with several days of history."""
    last = datetime.now(UTC).date() - timedelta(days=1)
    days = f"since={last - timedelta(days=DAYS - 1)}&until={last}"
    for name, user in (("phone", "anna"), ("laptop", "ben"), ("phone", "ben")):
        site.socket(user, device=name)
    with site.socket("cleo", device="phone") as socket:
        id = site.send("cleo")
        socket.send(op="ack", seq=socket.expect("event")["seq"])
        told = f"/api/notifications/{id}/timeline"
        until(lambda: "was open" in site.api.get(told).json["summary"], 10, "it is acked")
        for name, height, options in (
            ("reports", 1_250, {}),
            ("reports-dark", 1_250, {"color_scheme": "dark"}),
            ("reports-phone", 1_400, {}),
        ):
            view = {"width": 390 if "phone" in name else 1_080, "height": height}
            context = browser.new_context(**{"viewport": view, "color_scheme": "light", **options})
            page = context.new_page()
            page.goto(f"{site.backend.base_url}/reports")
            page.get_by_label("API key").fill(site.backend.api_key)
            page.get_by_role("button", name="Sign in").click()
            page.goto(f"{site.backend.base_url}/reports?{days}")
            page.locator("figure canvas").last.wait_for()
            page.mouse.move(5, height - 5)
            page.screenshot(path=folder / f"{name}.png")
            if name == "reports":
                page.set_viewport_size({"width": 900, "height": 1_100})
                page.goto(f"{site.backend.base_url}/reports/notifications/{id}")
                page.screenshot(path=folder / "reports-timeline.png")
            context.close()


def main() -> None:
    """Write every picture into the given folder, or those that the docs have into docs/images."""
    if len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        take_all(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        take_all(Path(folder))
        for old in sorted(IMAGES.glob("*.png")):
            shutil.copyfile(Path(folder) / old.name, old)


def take_all(folder: Path) -> None:
    """Take every picture."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        backends.open_backend("embedded", Path(scratch) / "var", None) as backend,
        launched() as browser,
    ):
        backend.env["NOTIFIER_API_KEYS"] = "key-for-pictures"
        write_past(backend.database_url)
        with running_site(backend, Path(scratch)) as site:
            take_reports(browser, site, folder)
    with (
        tempfile.TemporaryDirectory() as scratch,
        backends.open_backend("embedded", Path(scratch) / "var", None) as backend,
        running_site(backend, Path(scratch)) as site,
        launched() as browser,
    ):
        take(browser, site, folder)


if __name__ == "__main__":
    main()
