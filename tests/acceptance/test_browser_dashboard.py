"""The dashboard in real Chromium: its numbers are those of SQL, and it is accessible."""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.browser import axe_source, chrome
from tests.harness import backends
from tests.harness.http_client import Http
from tests.harness.past import ERROR, write_past
from tests.harness.site import Site, running_site
from tests.harness.waiting import until

__all__ = ["chrome"]

KEY = "key-for-tests"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def past_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An embedded site with an API key and several days of history."""
    folder = tmp_path_factory.mktemp("dashboard")
    (folder / "var").mkdir()
    with backends.open_backend("embedded", folder / "var", None) as backend:
        backend.env["NOTIFIER_API_KEYS"] = KEY
        write_past(backend.database_url)
        with running_site(backend, folder) as site:
            yield site


class Operator:
    """A signed-in browser, and the errors that it logged."""

    def __init__(self, chrome: Browser, site: Site, **options: Any) -> None:
        self.site = site
        self.context = chrome.new_context(**{"viewport": DESK, "reduced_motion": "reduce", **options})
        self.page: Page = self.context.new_page()
        self.trouble: list[str] = []
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on(
            "console",
            lambda message: message.type in ("error", "warning") and self.trouble.append(message.text),
        )
        self.url = f"{site.backend.base_url}/reports"

    def sign_in(self) -> Operator:
        self.page.goto(self.url)
        self.page.get_by_label("API key").fill(KEY)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_selector("figure canvas")
        return self

    def numbers(self, figure: str) -> list[list[str]]:
        """Return the rows of a figure's table, with exact numbers instead of formatted ones."""
        found: list[list[str]] = self.page.evaluate(
            """(name) => [...document.querySelectorAll(`section[aria-labelledby="${name}"] tbody tr`)]
                .filter((row) => !row.closest(".u-legend"))
                .map((row) => [...row.cells].map((cell) => cell.dataset.value ?? cell.textContent.trim()))""",
            figure,
        )
        return found

    def download(self, figure: str) -> list[dict[str, str]]:
        with self.page.expect_download() as waiting:
            self.page.locator(f"section[aria-labelledby='{figure}'] a.csv").click()
        text = Path(waiting.value.path()).read_text("utf-8")
        return list(csv.DictReader(text.splitlines()))

    def axe(self) -> list[str]:
        """Return what axe-core finds, a line each. It is loaded past the policy, as an extension would be."""
        self.page.evaluate(axe_source())
        found = self.page.evaluate(
            "() => axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})"
        )
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]


@pytest.fixture
def operator(chrome: Browser, past_site: Site) -> Iterator[Operator]:
    found = Operator(chrome, past_site)
    yield found.sign_in()
    found.context.close()
    assert found.trouble == []


def rows(site: Site, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    path = site.backend.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def nearest(values: list[int], percent: int) -> int:
    return sorted(values)[-(-percent * len(values) // 100) - 1]


# ---------------------------------------------------------------------- the numbers


def test_sent_delivered_and_read_are_those_of_sql(operator: Operator) -> None:
    first = (datetime.now(UTC).date() - timedelta(days=6)).isoformat()
    plain = rows(
        operator.site,
        "SELECT substr(accepted_at, 1, 10), count(*), count(delivered_at), count(read_at)"
        f" FROM notifier_report_deliveries WHERE accepted_at >= '{first}' GROUP BY 1",
    )
    by_day = {day: [day, str(sent), str(delivered), str(read)] for day, sent, delivered, read in plain}
    shown = operator.numbers("over-time")
    assert len(shown) == 7
    assert [row for row in shown if row[1] != "0"] == [by_day[day] for day in sorted(by_day)]
    for at, name in enumerate(("sent", "delivered", "read"), 1):
        total = operator.page.locator(f"[data-total={name}]").inner_text().split("\n")[0].split(" ")[0]
        assert total.replace("\N{NARROW NO-BREAK SPACE}", "") == str(sum(int(row[at]) for row in plain))


def test_read_is_a_share_of_what_can_be_read(operator: Operator) -> None:
    first = (datetime.now(UTC).date() - timedelta(days=6)).isoformat()
    ((entries, read),) = rows(
        operator.site,
        "SELECT count(*), count(read_at) FROM notifier_report_deliveries"
        f" WHERE event <> 'badge' AND accepted_at >= '{first}'",
    )
    tile = operator.page.locator("[data-total=read]").inner_text()
    assert f"{100 * read // entries} % of the inbox entries" in tile


def test_a_badge_has_no_share_of_what_is_read(operator: Operator) -> None:
    assert operator.site.api.badge("ada", "tasks", 3).status == 202
    shares = operator.page.locator("section[aria-labelledby=funnel] tbody tr").filter(has_text="badge")
    until(lambda: operator.page.reload() and shares.count(), 20, "the badge is among the types")
    kind, sent, delivered, read = shares.first.locator("th, td").all_inner_texts()
    assert (kind, sent.strip()) == ("badge · tasks", "1")
    assert "%" in delivered
    assert read.strip() == "\N{EN DASH}"


def test_latencies_are_those_of_sql(operator: Operator) -> None:
    first = (datetime.now(UTC).date() - timedelta(days=6)).isoformat()
    stages = ("accepted_to_persisted", "persisted_to_delivered", "delivered_to_read", "accepted_to_delivered")
    shown = {row[0]: row[1:] for row in operator.numbers("stages")}
    expected = []
    for stage in stages:
        values = [
            value
            for (value,) in rows(
                operator.site,
                f"SELECT {stage}_ms FROM notifier_report_deliveries"
                f" WHERE {stage}_ms IS NOT NULL AND accepted_at >= '{first}'",
            )
        ]
        expected.append([*(nearest(values, p) for p in (50, 95, 99)), len(values)])
    csv_rows = operator.download("stages")
    assert [[int(row[c]) for c in ("p50_ms", "p95_ms", "p99_ms", "count")] for row in csv_rows] == expected
    assert [[int(value) for value in row] for row in shown.values()] == expected


def test_another_stage_and_other_days(operator: Operator) -> None:
    day = (datetime.now(UTC).date() - timedelta(days=3)).isoformat()
    operator.page.get_by_label("From").fill(day)
    operator.page.get_by_label("to", exact=True).fill(day)
    operator.page.get_by_role("combobox", name="Stage").select_option("delivered_to_read")
    operator.page.get_by_role("button", name="Show").click()
    operator.page.wait_for_url(re.compile("stage=delivered_to_read"))
    values = [
        value
        for (value,) in rows(
            operator.site,
            "SELECT delivered_to_read_ms FROM notifier_report_deliveries WHERE delivered_to_read_ms IS NOT NULL"
            f" AND substr(accepted_at, 1, 10) = '{day}'",
        )
    ]
    expected = [day, *(str(nearest(values, p)) for p in (50, 95, 99)), str(len(values))]
    assert operator.numbers("latency") == [expected]
    assert [list(row.values()) for row in operator.download("latency")] == [expected]


def test_the_funnel_the_slowest_and_the_undelivered(operator: Operator) -> None:
    first = (datetime.now(UTC).date() - timedelta(days=6)).isoformat()
    where = f"FROM notifier_report_deliveries WHERE accepted_at >= '{first}'"
    funnel = rows(
        operator.site,
        f"SELECT type, count(*), count(delivered_at), count(read_at) {where} GROUP BY event, type ORDER BY event, type",
    )
    shown = [[row[0].partition(" · ")[2], *map(int, row[1:])] for row in operator.numbers("funnel")]
    assert shown == [list(row) for row in funnel]
    slowest = rows(
        operator.site,
        f"SELECT notification_id {where} AND delivered_at IS NOT NULL"
        " ORDER BY accepted_to_delivered_ms DESC, notification_id",
    )
    assert [row["notification_id"] for row in operator.download("slowest")] == [id for (id,) in slowest]
    assert operator.page.locator("section[aria-labelledby=slowest] [data-count]").inner_text() == (
        f"{min(20, len(slowest))} of {len(slowest):,}"
    )
    absent = rows(
        operator.site,
        f"SELECT notification_id {where} AND delivered_at IS NULL ORDER BY accepted_at DESC, notification_id",
    )
    assert [row["notification_id"] for row in operator.download("undelivered")] == [id for (id,) in absent]


def test_a_chart_is_drawn_from_its_table_and_again_for_the_dark(operator: Operator) -> None:
    colours = """() => [...document.querySelectorAll("figure canvas")].map((canvas) => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height);
        const pen = copy.getContext("2d", { willReadFrequently: true });
        pen.drawImage(canvas, 0, 0);
        const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set();
        for (let at = 0; at < data.length; at += 4)
            if (data[at + 3]) seen.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
        return ["29,78,216", "143,180,255"].filter((rgb) => seen.has(rgb)).join();
    }).join(" ")"""

    def drawn_in(colour: str) -> None:
        until(lambda: operator.page.evaluate(colours) == f"{colour} {colour}", 5, f"both in {colour}")

    drawn_in("29,78,216")
    operator.page.emulate_media(color_scheme="dark")
    drawn_in("143,180,255")
    operator.page.set_viewport_size(PHONE)
    operator.page.wait_for_function(
        "() => [...document.querySelectorAll('figure canvas')].every((one) => one.clientWidth < 390)"
    )


def test_who_is_connected_now(operator: Operator) -> None:
    site = operator.site
    with site.socket("user-1", device="phone"), site.socket("user-2", device="laptop"), site.socket("user-2"):

        def shown() -> str:
            operator.page.reload()
            return operator.page.locator("[data-total=sockets]").inner_text().replace("\n", " ")

        until(lambda: shown() == "3 sockets; 2 users, 2 devices, 1 gateway", 10, "three are shown")
        found = {(row[0], row[1]) for row in operator.numbers("connected")}
        assert found == {("user-1", "phone"), ("user-2", "laptop"), ("user-2", "\N{EN DASH}")}
    until(lambda: shown().startswith("0 sockets"), 10, "nobody is shown")


# ---------------------------------------------------------------------- what can be done


def test_the_dead_are_replayed_and_dropped(chrome: Browser, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    with backends.open_backend("embedded", tmp_path / "var", None) as backend:
        backend.env["NOTIFIER_API_KEYS"] = KEY
        first, second = write_past(backend.database_url, a_day=1)
        with running_site(backend, tmp_path) as site:
            operator = Operator(chrome, site).sign_in()
            page = operator.page
            assert [row[2] for row in operator.numbers("dead")] == [ERROR, ERROR], "as text, not as markup"
            page.locator("summary", has_text=f"Replay… {first}").press("Enter")
            page.get_by_role("button", name=re.compile(f"Replay it now ?: {first}")).press("Enter")
            assert page.locator("#done[role=status]").inner_text().startswith("It waits again")
            until(lambda: site.api.notification(first).json["status"] == "dispatched", 15, "it is dispatched")
            drop = page.locator("details.drop")
            drop.locator("summary").press("Enter")
            drop.get_by_role("button").press("Enter")
            assert page.locator("#done[role=status]").inner_text() == "It is dropped."
            assert site.api.notification(second).status == 404
            assert page.get_by_text("Nothing is dead.").is_visible()
            page.get_by_role("button", name="Sign out").click()
            page.wait_for_url(re.compile("sign-in"))
            page.goto(operator.url)
            assert page.url.endswith("/reports/sign-in")
            operator.context.close()
            assert operator.trouble == []


def test_from_the_slowest_to_its_timeline(operator: Operator) -> None:
    link = operator.page.locator("section[aria-labelledby=slowest] tbody a").first
    link.click()
    assert operator.page.get_by_role("heading", name="s timeline").is_visible()
    assert operator.page.get_by_text("alert · dispatched · 1 recipient,").is_visible()
    assert operator.axe() == []


# ---------------------------------------------------------------------- for everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(
    chrome: Browser, past_site: Site, scheme: Any, viewport: Any
) -> None:
    operator = Operator(chrome, past_site, color_scheme=scheme, viewport=viewport)
    operator.page.goto(operator.url)
    assert operator.axe() == [], "signing in"
    operator.page.get_by_label("API key").fill("wrong")
    operator.page.get_by_role("button", name="Sign in").click()
    operator.page.get_by_role("alert").wait_for()
    assert operator.axe() == [], "signing in with a wrong key"
    operator.trouble.clear()  # the browser reports the 401
    operator.sign_in()
    for summary in operator.page.locator("summary").all():
        summary.click()
    assert operator.axe() == []
    width = operator.page.evaluate("document.documentElement.scrollWidth")
    assert width == viewport["width"]
    operator.page.goto(f"{operator.url}?since=2001-01-01&until=2001-01-02")
    assert operator.page.get_by_text("Nothing in these days.").first.is_visible()
    assert operator.axe() == [], "without anything to show"
    operator.context.close()
    assert operator.trouble == []


def test_everything_is_reached_by_keyboard(operator: Operator) -> None:
    page = operator.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    wanted = {"INPUT", "SELECT", "BUTTON", "A", "SUMMARY", "DIV"}
    seen: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        # The browser's own button inside of a date field shows its focus by itself.
        tag, outline = page.evaluate(
            """() => [document.activeElement.tagName, document.activeElement.matches(":focus")
                ? getComputedStyle(document.activeElement).outlineStyle : "its own"]"""
        )
        seen.add(tag)
        assert tag == "BODY" or outline != "none", f"{tag} does not show that it has the focus"
        if tag == "SUMMARY" and not page.evaluate("document.activeElement.parentElement.open"):
            page.keyboard.press("Enter")
            assert page.evaluate("document.activeElement.parentElement.open")
    assert wanted <= seen


def test_without_scripts_the_numbers_are_there(chrome: Browser, past_site: Site) -> None:
    operator = Operator(chrome, past_site, java_script_enabled=False)
    operator.page.goto(operator.url)
    operator.page.get_by_label("API key").fill(KEY)
    operator.page.get_by_role("button", name="Sign in").click()
    assert operator.page.locator("section[aria-labelledby='over-time'] tbody tr").count() == 7
    operator.context.close()


def test_nobody_says_that_a_request_came_over_https_where_no_proxy_is_expected(past_site: Site) -> None:
    base = past_site.backend.base_url
    forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"}
    form = {**forged, "Origin": base, "Content-Type": "application/x-www-form-urlencoded"}
    with closing(Http(base)) as http:
        answer = http.request("POST", "/reports/sign-in", f"key={KEY}".encode(), form)
    assert answer.status == 303
    assert "secure" not in answer.headers["set-cookie"].lower()
