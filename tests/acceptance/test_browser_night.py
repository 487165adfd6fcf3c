"""The dashboard's pages of this moment and of a chosen range, and the demo as a window, in real Chromium."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser import axe_source, chrome
from tests.acceptance.test_browser_dashboard import Operator
from tests.harness import backends
from tests.harness.past import write_past
from tests.harness.site import Site, running_site

__all__ = ["chrome"]
pytestmark = pytest.mark.browser

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
PICTURES = os.environ.get("PICTURES")  # a folder: pictures of every page, to look at
SIZES = [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An embedded site with the demo, several days of history, and two dead notifications."""
    folder = tmp_path_factory.mktemp("night")
    (folder / "var").mkdir()
    with backends.open_backend("embedded", folder / "var", None) as backend:
        backend.env["NOTIFIER_API_KEYS"] = "key-for-tests"
        write_past(backend.database_url)
        with running_site(backend, folder) as started:
            for number in range(3):
                started.send(f"user-{number}")
            yield started


@pytest.fixture
def operator(chrome: Browser, site: Site) -> Iterator[Operator]:
    found = Operator(chrome, site)
    yield found.sign_in()
    found.context.close()
    assert found.trouble == []


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def test_the_tiles_follow_by_themselves_and_say_when_they_cannot(operator: Operator) -> None:
    page = operator.page
    page.clock.install()
    page.goto(f"{operator.url}/night")
    expect(page.locator("[data-total=dead] a")).to_have_text("2")
    before = page.locator("#now time").get_attribute("datetime")
    page.clock.run_for(10_500)
    expect(page.locator("#now time")).not_to_have_attribute("datetime", before or "")

    page.route("**/reports/now*", lambda route: route.fulfill(status=503, body="no"))
    page.clock.run_for(10_500)
    expect(page.locator("#now [data-trouble]")).to_contain_text("the service answered 503")
    page.unroute("**/reports/now*")
    page.clock.run_for(10_500)
    expect(page.locator("#now [data-trouble]")).to_have_text("")

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    page.clock.run_for(60_000)
    assert asked == []
    operator.trouble = [one for one in operator.trouble if "503" not in one]


def test_the_night_page_shows_rules_and_hours(operator: Operator) -> None:
    page = operator.page
    page.goto(f"{operator.url}/night")
    dead = page.locator("tr", has=page.get_by_role("rowheader", name="NotifierDead", exact=True))
    expect(dead.get_by_role("cell")).to_contain_text(["firing", "2", "notifier_dead > 0"])
    assert page.locator("section[aria-labelledby=rules] tbody tr").first.get_attribute("class") == "bad"
    page.wait_for_selector("figure canvas")
    rows = operator.numbers("hours")
    assert [row[0] for row in rows] == [f"{TODAY}T{hour:02}:00Z" for hour in range(len(rows))]
    assert sum(int(row[1]) for row in rows) >= 3
    page.locator("[data-total=dead] a").click()
    expect(page).to_have_url(re.compile(r"/reports\?since=.*#dead$"))


def test_a_single_day_has_an_axis_of_its_own(operator: Operator) -> None:
    page = operator.page
    page.get_by_role("link", name="Yesterday").click()
    page.wait_for_selector("figure canvas")
    assert f"since={YESTERDAY}&until={YESTERDAY}" in page.url
    scale = page.evaluate(
        """() => { const seen = []; const real = CanvasRenderingContext2D.prototype.fillText;
            CanvasRenderingContext2D.prototype.fillText = function (text, ...more) { seen.push(String(text));
                return real.call(this, text, ...more); };
            dispatchEvent(new Event("resize")); return seen; }"""
    )
    assert not any("2028" in text or "2029" in text for text in scale)
    assert page.locator("[aria-current=true]").inner_text() == "Yesterday"


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        (TODAY, YESTERDAY, "The first day is after the last one."),
        (TODAY - timedelta(days=500), TODAY, "These are more than 366 days."),
    ],
)
def test_a_wrong_range_says_so_and_keeps_what_was_typed(
    operator: Operator, since: object, until: object, said: str
) -> None:
    page = operator.page
    page.goto(f"{operator.url}?since={since}&until={until}")
    expect(page.locator("#wrong")).to_have_text(
        f"{said} Shown instead: {TODAY - timedelta(days=6)} to {TODAY}."
    )
    expect(page.get_by_label("From")).to_have_value(str(since))
    expect(page.get_by_label("to", exact=True)).to_have_value(str(until))
    answer = page.request.get(f"{operator.url}/funnel.csv?since={since}&until={until}")
    assert answer.status == 422


def test_without_scripts_the_numbers_are_there(chrome: Browser, site: Site) -> None:
    context = chrome.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.backend.base_url}/reports")
    page.get_by_label("API key").fill("key-for-tests")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("section[aria-labelledby=over-time] tbody tr").first).to_be_visible()
    page.goto(f"{site.backend.base_url}/")
    expect(page.locator("noscript p")).to_contain_text("This page needs JavaScript")
    context.close()


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_axe_finds_nothing(chrome: Browser, site: Site, width: int, scheme: str) -> None:
    seen = Operator(
        chrome, site, viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    ).sign_in()
    picture(seen.page, f"reports-{width}-{scheme}")
    found = seen.axe()
    seen.page.goto(f"{seen.url}/night")
    picture(seen.page, f"night-{width}-{scheme}")
    found += seen.axe()
    wide = seen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    seen.page.goto(f"{site.backend.base_url}/?customer=customer-3")
    expect(seen.page.locator("notification-bell .bell")).to_have_attribute("data-state", "live")
    seen.page.get_by_role("button", name="One more of tasks").click()
    expect(seen.page.locator("[data-call]")).to_contain_text('update_badge("customer-3", "tasks",')
    picture(seen.page, f"shop-{width}-{scheme}")
    seen.page.evaluate(axe_source())
    found += seen.axe()
    wide = max(wide, seen.page.evaluate("document.documentElement.scrollWidth - innerWidth"))
    seen.context.close()
    assert found == []
    assert wide <= 0
    assert seen.trouble == []


def test_the_shop_shows_the_call_the_frame_and_the_timeline(chrome: Browser, site: Site) -> None:
    page = chrome.new_context().new_page()
    page.goto(f"{site.backend.base_url}/?customer=customer-1")
    expect(page.locator("notification-bell .bell")).to_have_attribute("data-state", "live")
    order = page.locator("[data-ship]").first.get_attribute("data-ship")
    page.get_by_role("button", name=f"Ship order {order}").click()
    expect(page.locator("[data-call]")).to_contain_text('send_notification(\n    "customer-1"')
    expect(page.locator("[data-frame]")).to_contain_text('"op": "event"')
    expect(page.locator("[data-steps] li")).to_contain_text(["you pressed", "accepted it", "had it, as seq"])
    expect(page.locator("[data-more]")).to_have_attribute(
        "href", re.compile(r"^/reports/notifications/[0-9a-f-]{36}\?user_id=customer-1$")
    )
    expect(page.locator(f"[data-ship='{order}']")).to_be_hidden()
    assert page.request.post(f"{site.backend.base_url}/orders/{order}/ship", data={}).status == 409
    page.context.close()


def test_the_stepper_loses_no_press(chrome: Browser, site: Site) -> None:
    page = chrome.new_context().new_page()
    page.goto(f"{site.backend.base_url}/?customer=customer-2")
    expect(page.locator("notification-bell .bell")).to_have_attribute("data-state", "live")
    more, less = (page.get_by_role("button", name=f"One {name} of messages") for name in ("more", "less"))
    more.evaluate("button => { for (let press = 0; press < 12; press += 1) button.click(); }")
    less.evaluate("button => { button.click(); button.click(); }")
    expect(page.locator("[data-badge=messages] output")).to_have_text("10")
    expect(page.locator("notification-badge[type=messages]")).to_have_text("10")
    more.click()
    expect(page.locator("notification-badge[type=messages]")).to_have_text("11")
    page.context.close()
