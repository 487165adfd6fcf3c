"""The dashboard's lists, its way back and its stops in real Chromium, on a phone and on a desk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from models.store import failures
from notifier.outbox.engine import Database, make_engine
from tests.acceptance.browser import chrome
from tests.acceptance.test_browser_dashboard import DESK, KEY, PHONE, Operator
from tests.harness import backends
from tests.harness.past import write_past
from tests.harness.site import Site, running_site
from tests.harness.waiting import until
from tests.harness.world import real_time_world

__all__ = ["chrome"]
pytestmark = pytest.mark.browser

LISTS = ("Dead", "Waiting", "Slowest", "Not delivered", "Connected now")
TODAY = datetime.now(UTC).date()
DAYS = f"since={TODAY - timedelta(days=3)}&until={TODAY - timedelta(days=1)}&stage=delivered_to_read"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An embedded site where every list has rows, and some have several pages; 22 sockets are open."""
    folder = tmp_path_factory.mktemp("lists")
    (folder / "var").mkdir()
    with backends.open_backend("embedded", folder / "var", None) as backend:
        backend.env["NOTIFIER_API_KEYS"] = KEY
        write_past(backend.database_url)
        database = Database(make_engine(backend.database_url))
        world = real_time_world(database)
        for _ in range(25):
            number = world.notification(world.send("a-user-with-a-rather-long-name@shop.example")).number
            database.run(
                lambda c, number=number: failures.postpone(
                    c, number, "ValueError: no", now=world.now, delay=timedelta(hours=1), max_attempts=9
                )
            )
        database.dispose()
        with running_site(backend, folder) as started, ExitStack() as opened:
            for at in range(22):
                opened.enter_context(started.socket(f"user-{at}", device=f"device-{at}"))
            yield started


@pytest.fixture
def operator(chrome: Browser, site: Site) -> Iterator[Operator]:
    found = Operator(chrome, site)
    yield found.sign_in()
    found.context.close()
    assert found.trouble == []


def hidden(page: Page, name: str) -> list[str]:
    """Return the cells of a list of which something is not on the screen."""
    found: list[str] = page.get_by_role("region", name=name).evaluate(
        """(region) => [...region.querySelectorAll("td, tbody th")].filter((cell) => {
            const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
            const seen = [];
            while (texts.nextNode()) {
                const range = document.createRange();
                range.selectNodeContents(texts.currentNode);
                const skipped = texts.currentNode.parentElement.closest(".hidden, form");
                if (texts.currentNode.data.trim() && !skipped) seen.push(range.getBoundingClientRect());
            }
            const inside = ({ left, right, width }) => width && left >= 0 && right <= document.body.clientWidth;
            return !seen.length || !seen.every(inside);
        }).map((cell) => cell.textContent)"""
    )
    return found


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_all_of_a_row_is_on_the_screen(chrome: Browser, site: Site, viewport: Any) -> None:
    operator = Operator(chrome, site, viewport=viewport).sign_in()
    page = operator.page
    expect(page.locator("[data-total=sockets]")).to_contain_text("22")
    for name in (*LISTS, "Latency by stage", "Funnel by type"):
        assert hidden(page, name) == [], name
    row = page.get_by_role("region", name="Not delivered").locator("tbody tr").first
    expect(row.locator("time")).to_have_count(2)
    row.get_by_role("link").click()
    for name in ("Step by step", "Recipients"):
        assert hidden(page, name) == [], name
    page.goto(f"{operator.url}/night")
    assert hidden(page, "Alert rules") == []
    operator.context.close()
    assert operator.trouble == []


@pytest.mark.parametrize("name", LISTS)
def test_each_list_is_a_region_whose_pages_say_the_same_total(operator: Operator, name: str) -> None:
    page = operator.page
    region = page.get_by_role("region", name=name)
    forward, back = ("Older", "Newer") if name != "Waiting" else ("Newer", "Older")
    said = re.fullmatch(r"(\d+) of ([\d,]+)", region.locator("[data-count]").inner_text())
    assert said
    total, rows, pages = int(said[2].replace(",", "")), 0, 0
    while True:
        here = region.locator("tbody tr").count()
        rows, pages = rows + here, pages + 1
        expect(region.locator("[data-count]")).to_have_text(f"{here} of {total:,}")
        link = region.get_by_role("link", name=forward)
        if not link.count():
            break
        link.click()
        page.wait_for_url(re.compile("/reports/lists/"))
        page.wait_for_load_state()
    assert rows == total
    assert (name == "Dead") is (pages == 1)
    for _ in range(pages - 1):
        region.get_by_role("link", name=back).click()
        page.wait_for_load_state()
        expect(region.locator("[data-count]")).to_have_text(f"20 of {total:,}")


def test_the_way_back_keeps_the_chosen_days(operator: Operator) -> None:
    page = operator.page
    site = operator.site

    def back_from(*steps: str) -> None:
        """Follow links by their names, then go back to the reports."""
        page.goto(f"{operator.url}?{DAYS}")
        for step in steps:
            page.get_by_role("link", name=re.compile(step)).first.click()
            page.wait_for_load_state()
        page.get_by_role("link", name="Back to the reports").click()
        page.wait_for_url(re.compile(r"/reports\?"))
        assert DAYS in page.url, steps
        expect(page.get_by_label("From")).to_have_value(str(TODAY - timedelta(days=3)))
        expect(page.get_by_role("combobox", name="Stage")).to_have_value("delivered_to_read")

    back_from("What is going on now")
    back_from("^Older of Slowest")
    back_from("^Older of Slowest", "^Older of Slowest")
    back_from("^Older of Not delivered", r"^[0-9a-f-]{13}…", "^User user-")
    back_from("What is going on now", "^25$", "^Newer of Waiting")
    page.goto(f"{operator.url}/night?{DAYS}")
    page.get_by_role("searchbox").fill("user-3")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("link", name="Back to the reports").click()
    page.wait_for_url(re.compile(DAYS))
    assert page.url.startswith(site.backend.base_url)


def test_stopping_a_notification_asks_first(operator: Operator) -> None:
    page, api = operator.page, operator.site.api
    sent = operator.site.send("one-who-gets-it", "Sent by mistake")
    until(lambda: api.notification(sent).json["status"] == "dispatched", 15, "it is dispatched")
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    alert = {"title": "Tomorrow", "message": "m", "type": "info"}
    scheduled = api.post(
        "/api/notifications", {"user_id": "u", "event": "alert", "data": alert, "deliver_at": later}
    ).json["id"]
    for id, word, status in ((sent, "Retract", "retracted"), (scheduled, "Cancel", "canceled")):
        page.goto(f"{operator.url}/notifications/{id}")
        button = page.get_by_role("button", name=re.compile(f"^{word} it for"))
        expect(button).to_be_hidden()
        assert api.notification(id).json["status"] in ("dispatched", "scheduled")
        page.locator("summary", has_text=f"{word}…").press("Enter")
        button.press("Enter")
        expect(page.locator("#done[role=status]")).to_contain_text(f"It is {status}")
        assert api.notification(id).json["status"] == status
        expect(page.locator("details.confirm")).to_have_count(0)
        expect(page.get_by_role("region", name="What it says")).not_to_contain_text("Sent by mistake")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_axe_finds_nothing_on_lists_and_errors(
    chrome: Browser, site: Site, scheme: Any, viewport: Any
) -> None:
    operator = Operator(chrome, site, color_scheme=scheme, viewport=viewport).sign_in()
    page = operator.page
    for path in ("lists/dead", "lists/waiting", "lists/connected", "search", "search?q=", "lists/nothing",
                 "users?user_id=nobody-knows-me", "no/such/page"):  # fmt: skip
        page.goto(f"{operator.url}/{path}")
        assert page.get_by_role("heading", level=1).is_visible(), path
        for summary in page.locator("summary").all():
            summary.click()
        assert operator.axe() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"], path
    operator.context.close()
    operator.trouble = [line for line in operator.trouble if "404" not in line and "422" not in line]
    assert operator.trouble == []
