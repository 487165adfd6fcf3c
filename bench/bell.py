"""Measure how long the bell keeps a page busy, in real Chromium, on the embedded default.

A user with 10,000 entries opens the panel, and 3,000 alerts arrive within a minute; then the user scrolls to
the oldest entry, and 3,000 more arrive above all of them. Chromium reports each task of the page that took
50 ms or longer; there should be none. The processes share the machine with the browser.

    python -m bench.bell
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from notifier.core.draft import draft
from notifier.outbox.accept import accept_all
from notifier.outbox.engine import Connection, Database, make_engine
from tests.acceptance.browser import CLIENT, ROOT, Tab, Visitor, launched
from tests.harness import backends
from tests.harness.site import Site, running_site

USER = "user-1"
TICK = 0.1  # seconds between groups of alerts
GROUP = 500  # of the entries that are there before
WATCH = (
    "(() => { window.tasks = []; new PerformanceObserver(list => tasks.push(...list.getEntries()"
    ".map(entry => entry.duration))).observe({ entryTypes: ['longtask'] }); })()"
)
LIST = f"{ROOT}.querySelector('[part=scroll]')"
SCROLL = f"(() => {{ {LIST}.scrollTop = {LIST}.scrollHeight; }})()"
ROWS = f"{ROOT}.querySelectorAll('article').length"


def accept(connection: Connection, start: int, count: int) -> None:
    """Accept alerts as the API does, without a request for each."""
    drafts = [
        draft(user_id=USER, data={"title": f"Alert {number}", "message": "m" * 100, "type": "info"})
        for number in range(start, start + count)
    ]
    accept_all(connection, drafts, now=datetime.now(UTC))


def fill(site: Site, database: Database, entries: int) -> None:
    """Put that many entries into the user's inbox."""
    for start in range(0, entries, GROUP):
        database.run(lambda connection, at=start: accept(connection, at, GROUP - 1))
        site.send(USER)  # wakes the workers for the whole group
    site.arrived(USER, entries, 120)


def scroll(tab: Tab, entries: int) -> None:
    """Scroll until the oldest entry is in the page."""
    deadline = time.monotonic() + 300
    while tab.js(ROWS) < entries:
        tab.js(SCROLL)
        tab.page.wait_for_timeout(20)
        if time.monotonic() > deadline:
            sys.exit(f"only {tab.js(ROWS)} rows after 300 s")


def stream(site: Site, database: Database, tab: Tab, alerts: int, seconds: float) -> None:
    """Send alerts at a steady rate, and wait until the page has the last."""
    before, sent, began = tab.js(f"{CLIENT}.store.unread"), 0, time.monotonic()
    while sent < alerts:
        due = min(alerts, int((time.monotonic() - began) / seconds * alerts) + 1) - sent
        if due > 1:
            database.run(lambda connection, at=sent, due=due: accept(connection, at, due - 1))
        if due:
            site.send(USER)
            sent += due
        tab.page.wait_for_timeout(TICK * 1000)
    tab.until(f"{CLIENT}.store.unread === {before + alerts}", 60)


def told(tab: Tab, what: str) -> float:
    """Print the long tasks since the last call; return the longest."""
    tab.page.wait_for_timeout(200)
    tasks: list[float] = tab.js("tasks.splice(0)")
    longest = max(tasks, default=0.0)
    print(f"{what}: {len(tasks)} tasks of 50 ms or more, the longest {longest:.0f} ms; {tab.js(ROWS):,} rows")
    return longest


def main(words: Sequence[str] | None = None) -> None:
    """Measure, and end with status 1 when a task took 50 ms or longer."""
    parser = argparse.ArgumentParser(prog="bench.bell", description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--alerts", type=int, default=3_000)
    parser.add_argument("--seconds", type=float, default=60)
    given: Any = parser.parse_args(words)
    with (
        tempfile.TemporaryDirectory() as scratch,
        backends.open_backend("embedded", Path(scratch) / "var", None) as backend,
        running_site(backend, Path(scratch)) as site,
        launched() as browser,
    ):
        database = Database(make_engine(backend.database_url))
        fill(site, database, given.entries)
        tab = Visitor(browser.new_context(viewport={"width": 900, "height": 800}), site, USER).open()
        tab.js(WATCH)
        tab.bell()
        tab.until(f"{ROWS} > 0")
        longest = [told(tab, "opened")]
        stream(site, database, tab, given.alerts, given.seconds)
        longest.append(told(tab, f"{given.alerts:,} alerts in {given.seconds:g} s into a panel just opened"))
        scroll(tab, given.entries + given.alerts)
        longest.append(told(tab, "scrolled to the oldest"))
        tab.js(f"{LIST}.scrollTop = 0")
        stream(site, database, tab, given.alerts, given.seconds)
        longest.append(told(tab, f"{given.alerts:,} alerts in {given.seconds:g} s above all of them"))
        database.dispose()
    sys.exit(1 if max(longest) >= 50 else 0)


if __name__ == "__main__":
    main()
