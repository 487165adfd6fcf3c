"""Whatever an alert contains is only shown as text; ten thousand alerts do not block the page."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy.engine import Connection

from notifier.core.draft import draft
from notifier.outbox.accept import accept_all
from notifier.outbox.engine import Database, make_engine
from tests.acceptance.browser import CLIENT, ROOT, Visit, chrome, shop_site, visit
from tests.harness.site import Site
from tests.harness.waiting import crowding

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser

IMG = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
ZALGO = "".join("Z" + "\u0301\u0317\u0334\u0489\u0360\u033d" * 3 for _ in range(300))[:4000]
BIDI = "\u202ereversed\u2066"


def test_markup_is_text(visit: Visit, shop_site: Site, user: str) -> None:
    for kind in ("info", "error"):
        action = {"label": IMG[:80], "url": "/test/page?ok"}
        data = {"title": IMG + BIDI, "message": IMG * 3 + BIDI, "type": kind, "action": action}
        answer = shop_site.api.send(user, data)
        assert answer.status == 202, answer
    shop_site.api.send(user, {"title": ZALGO[:200], "message": ZALGO, "type": "warning"})
    tab = visit(user).open()
    tab.unread(3)
    tab.bell()
    tab.until(f"{ROOT}.querySelectorAll('article').length === 3")
    shop_site.api.send(user, {"title": IMG, "message": IMG, "type": "error"})
    tab.js(f"{ROOT}.querySelector('[part~=close]').click()")
    shop_site.api.send(user, {"title": IMG, "message": IMG, "type": "error"})
    tab.until(f"{ROOT}.querySelector('.toast')")
    assert tab.js(f"{ROOT}.querySelectorAll('img, script, iframe, style').length") == 0
    assert tab.js("window.pwned") is None
    assert tab.js(f"{ROOT}.querySelectorAll('article .title')[4]?.textContent ?? ''") in (IMG + BIDI, "")
    tab.bell()
    tab.until(f"{ROOT}.querySelectorAll('article').length === 5")
    assert tab.js(f"{ROOT}.querySelector('article:last-of-type .title').textContent") == IMG + BIDI


def test_zalgo_stays_in_its_row(visit: Visit, shop_site: Site, user: str) -> None:
    shop_site.send(user, "below")
    shop_site.api.send(user, {"title": ZALGO[:200], "message": ZALGO, "type": "warning"})
    shop_site.api.send(user, {"title": "W" * 200, "message": "W" * 4000, "type": "warning"})
    tab = visit(user).open()
    tab.unread(3)
    tab.bell()
    tab.until(f"{ROOT}.querySelectorAll('article').length === 3")
    wide = tab.js(
        f"{ROOT}.querySelector('.scroll').scrollWidth - {ROOT}.querySelector('.scroll').clientWidth"
    )
    assert wide <= 0
    heights = tab.js(f"[...{ROOT}.querySelectorAll('article')].map(row => row.offsetHeight)")
    assert max(heights) < 480, heights


@pytest.mark.parametrize(
    "url", ["javascript:window.pwned=1", "//evil.example", "data:text/html,x", "/\\evil.example"]
)
def test_an_unsafe_action_is_not_a_link(visit: Visit, shop_site: Site, user: str, url: str) -> None:
    """The server refuses them; the client does not show them either."""
    tab = visit(user).open()
    frame = {
        "op": "event", "seq": 1, "event": "alert", "id": "x", "timestamp": 1_800_000_000_000, "unread": 1,
        "data": {"title": "T", "message": "M", "type": "info", "action": {"label": "Press", "url": url}},
    }  # fmt: skip
    tab.js(f"{CLIENT}.store.apply({json.dumps(frame)})")
    tab.bell()
    tab.until(f"{ROOT}.querySelectorAll('article').length === 1")
    assert tab.js(f"{ROOT}.querySelectorAll('a').length") == 0


def accept_many(connection: Connection, user: str, start: int, count: int) -> None:
    """Accept alerts as the API does, without an HTTP request for each."""
    drafts = []
    for number in range(start, start + count):
        data = {"title": f"Alert {number}", "message": "m" * 100, "type": "info"}
        drafts.append(draft(user_id=user, data=data))
    accept_all(connection, drafts, now=datetime.now(UTC))


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_ten_thousand_live_alerts_leave_the_page_responsive(visit: Visit, shop_site: Site, user: str) -> None:
    tab = visit(user).open()
    tab.bell()
    tab.js(
        "(() => { window.tasks = []; new PerformanceObserver(list => tasks.push(...list.getEntries()"
        ".map(entry => entry.duration))).observe({entryTypes: ['longtask']}) })()"
    )
    total, group = 10_000, 500
    database = Database(make_engine(shop_site.backend.database_url))
    for start in range(0, total, group):
        # One transaction for most of a group, and one call over HTTP that wakes the workers for all of it: what is
        # measured is the page, not how fast two cores can send and show at once.
        database.run(lambda connection, at=start: accept_many(connection, user, at, group - 1))
        shop_site.send(user, f"Alert {start + group - 1}")
        tab.until(f"{CLIENT}.store.unread === {start + group}", 30)
    database.dispose()
    tab.unread(total)
    longest = max(tab.js("tasks"), default=0)
    rows = tab.js(f"{ROOT}.querySelectorAll('article').length")
    print(f"longest task {longest} ms, {rows} rows in the page")
    assert rows <= 200, "as many as a user can see, not as many as came"
    assert longest < 100 * crowding()
