"""The support desk in real Chromium: from the start to why a customer has not seen an alert, in three steps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from notifier.outbox.engine import Database, make_engine
from tests.acceptance.browser import chrome
from tests.acceptance.test_browser_dashboard import KEY, Operator
from tests.harness import backends
from tests.harness.past import ERROR, write_past
from tests.harness.site import Site, running_site
from tests.harness.world import real_time_world

__all__ = ["chrome"]

CUSTOMER = "kund/in 7"
VIEWPORTS = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1440, "height": 900}}
#: A folder for screenshots to look at.
SHOTS = os.environ.get("NOTIFIER_SHOTS")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "var").mkdir()
    with backends.open_backend("embedded", folder / "var", None) as backend:
        backend.env["NOTIFIER_API_KEYS"] = KEY
        write_past(backend.database_url)
        database = Database(make_engine(backend.database_url))
        world = real_time_world(database)
        everyone = [CUSTOMER, *(f"u{number:03}" for number in range(60))]
        for number in range(45):
            world.send(CUSTOMER, title=f"Parcel {number} is on its way")
        world.send(*everyone, title="Your order 4711 was shipped")
        world.dispatch()
        world.send(CUSTOMER, title="Good morning", deliver_at=world.now + timedelta(days=2))
        database.dispose()
        with running_site(backend, folder) as running:
            yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", VIEWPORTS)
def test_why_a_customer_has_not_seen_an_alert_in_three_steps(
    chrome: Browser, site: Site, name: str, scheme: Any
) -> None:
    operator = Operator(chrome, site, color_scheme=scheme, viewport=VIEWPORTS[name]).sign_in()
    page = operator.page

    def looks_right(what: str) -> None:
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{what}-{name}-{scheme}.png", full_page=True)
        assert operator.axe() == [], what
        assert page.evaluate("document.documentElement.scrollWidth") == VIEWPORTS[name]["width"], what

    looks_right("start")
    # 1: the customer's id into the search.
    page.get_by_role("searchbox").fill(CUSTOMER)
    page.get_by_role("searchbox").press("Enter")
    entry = page.get_by_role("region", name="Last entries").get_by_role("listitem")
    entry = entry.filter(has_text="Your order 4711 was shipped")
    # 2: there it is, with the reason.
    entry.get_by_text("Not delivered: no device is known to have been connected").wait_for()
    page.get_by_text("Scheduled for").wait_for()
    assert re.search("where you are", entry.locator("time").first.get_attribute("title") or "")
    looks_right("user")
    # 3: everything about it.
    entry.get_by_role("link").click()
    says = page.get_by_role("region", name="What it says")
    says.get_by_text("Your order 4711 was shipped").wait_for()
    recipients = page.get_by_role("region", name="Recipients")
    recipients.get_by_role("link", name="Not delivered").click()
    page.wait_for_url(re.compile("state=not-delivered"))
    recipients.get_by_text("20 of 61").wait_for()
    page.locator("summary", has_text="Retract…").click()
    looks_right("notification")
    page.get_by_role("searchbox").fill("4711")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("region", name="Titles").get_by_role("link", name="4711").wait_for()
    looks_right("search")
    page.get_by_role("link", name="Back to the reports").click()
    undelivered = page.get_by_role("region", name="Not delivered")
    undelivered.get_by_role("link", name="Older").click()
    undelivered.get_by_role("link", name="Newer").wait_for()
    looks_right("list")
    operator.context.close()
    assert operator.trouble == []


def test_an_alert_of_long_ago_and_its_customer_are_found_from_the_alerts_side_in_three_steps(
    chrome: Browser, site: Site
) -> None:
    operator = Operator(chrome, site, viewport=VIEWPORTS["phone"]).sign_in()
    page = operator.page
    page.get_by_role("searchbox").fill("ORDER 4711")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("region", name="Titles").get_by_role("link", name="4711").click()
    one = page.get_by_role("textbox", name="One of them")
    one.fill("nobody")
    one.press("Enter")
    page.get_by_text("there is no notification").wait_for()
    page.go_back()
    one.fill(CUSTOMER)
    one.press("Enter")
    became = page.get_by_role("region", name="What became of it")
    became.get_by_text("No socket is known of that was open").wait_for()
    page.get_by_role("searchbox").fill("parcel 3 is")  # to one customer: that copy at once
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("region", name="Titles").get_by_role("link", name="Parcel 3 is").click()
    became.get_by_text("No socket is known of that was open").wait_for()
    operator.context.close()
    operator.trouble = [line for line in operator.trouble if "404" not in line]
    assert operator.trouble == []


def test_the_error_of_a_dead_one_is_on_the_screen_of_a_phone(chrome: Browser, site: Site) -> None:
    operator = Operator(chrome, site, viewport=VIEWPORTS["phone"]).sign_in()
    dead = operator.page.get_by_role("region", name="Dead")
    box = dead.get_by_text(ERROR).first.bounding_box()
    assert box
    assert box["x"] + box["width"] <= 390
    dead.locator("summary", has_text="Replay…").first.click()
    button = dead.get_by_role("button", name="Replay it now").first.bounding_box()
    assert button
    assert button["x"] + button["width"] <= 390
    if SHOTS:
        dead.screenshot(path=Path(SHOTS) / "dead-phone.png")
    operator.context.close()
