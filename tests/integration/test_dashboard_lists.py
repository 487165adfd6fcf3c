"""Each list of the dashboard over several pages: its total, its rows and its CSV are those of SQL."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from models.store import failures, sockets
from models.store.sockets import Opened
from notifier import send
from notifier.outbox.engine import Database
from tests.harness.world import World, real_time_world
from tests.integration.test_dashboard_pages import enter, make
from web.runtime import EXTENSION

COUNTS = {
    "dead": "SELECT count(*) FROM notifier_notifications WHERE state = 'dead'",
    "waiting": "SELECT count(*) FROM notifier_notifications WHERE state = 'accepted'",
    "slowest": "SELECT count(*) FROM notifier_report_deliveries WHERE delivered_at IS NOT NULL",
    "undelivered": "SELECT count(*) FROM notifier_report_deliveries WHERE delivered_at IS NULL",
    "connected": "SELECT count(*) FROM notifier_sockets WHERE closed_at IS NULL",
}


@pytest.fixture
def world(database: Database) -> World:
    """45 dead, 62 waiting, 41 delivered, 83 not delivered, 27 connected: some pages are full, some are not."""
    world = real_time_world(database)
    users = [f"u{number:03}" for number in range(62)]
    world.send(*users)
    read = world.send(*users)
    world.dispatch()
    for user in users[:41]:
        world.read(user, read)
    for count, attempts in ((45, 1), (62, 9)):
        for _ in range(count):
            number = world.notification(world.send("u000")).number
            world.database.run(
                lambda c, number=number, attempts=attempts: failures.postpone(
                    c, number, "no", now=world.now, delay=timedelta(hours=1), max_attempts=attempts
                )
            )
    gateway = "0123456789abcdef"
    opened = [
        Opened(f"s{number:03}", users[number], "phone", gateway, world.now, None, 0, 1)
        for number in range(27)
    ]
    world.database.run(lambda c: sockets.write(c, opened, []))
    world.database.run(lambda c: sockets.seen(c, gateway, now=world.now))
    return world


@pytest.fixture
def operator(world: World, tmp_path: Path) -> Iterator[FlaskClient]:
    app = make(world.database, tmp_path)
    client = app.test_client()
    assert enter(client).status_code == 303
    yield client
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


@pytest.mark.parametrize("name", COUNTS)
def test_the_total_is_right_on_every_page_forward_and_back(
    operator: FlaskClient, world: World, name: str
) -> None:
    with world.database.read() as connection:
        total = connection.scalar(sa.text(COUNTS[name]))
    assert total > 20
    first, other = ("Older", "Newer") if name != "waiting" else ("Newer", "Older")

    def seen(page: str) -> tuple[int, int, str | None, str | None]:
        """Return how many rows the page has, of how many, and the addresses of the pages beside it."""
        region = page.partition(f'<section aria-labelledby="{name}">')[2].partition("</section>")[0]
        shown = re.search(r"data-count>(\d+) of ([\d,]+)<", region)
        assert shown
        assert region.count("<tr>") - 1 == int(shown[1])
        beside = {
            label: unescape(address)
            for address, label in re.findall(r'href="(/reports/lists/[^"]*)">(Older|Newer)<', region)
        }
        return int(shown[1]), int(shown[2].replace(",", "")), beside.get(first), beside.get(other)

    sizes, address, back = [], "/reports", None
    while address:
        size, said, following, back = seen(operator.get(address).text)
        assert said == total, address
        sizes.append(size)
        address = following or ""
    assert sizes == [20] * (total // 20) + [total % 20] * bool(total % 20)
    steps = 0
    while back:
        size, said, _, back = seen(operator.get(back).text)
        assert (size, said) == (20, total)
        steps += 1
    assert steps == len(sizes) - 1
    assert len(list(csv.DictReader(io.StringIO(operator.get(f"/reports/{name}.csv").text)))) == total
