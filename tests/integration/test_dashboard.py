"""The dashboard's figures equal a plain count of the rows, on both databases."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from models.store import dashboard, dashboard_lists, devices, sockets
from models.store.dashboard import STAGES, TimeRange
from models.store.dashboard_lists import LISTINGS
from models.store.delivered import Ack
from models.store.sockets import Opened
from notifier.core.effects import Acked
from tests.harness.world import World

SINCE, UNTIL = date(2026, 1, 2), date(2026, 1, 9)


def history(world: World, seed: int = 7) -> None:
    """Make several days of alerts; some acked, some read, some neither."""
    dice = random.Random(seed)
    for number in range(60):
        user = f"u{number % 7}"
        world.tick(dice.uniform(0, 20_000))
        id = world.send(user) if number % 5 else world.send(user, "u8")
        world.tick(dice.uniform(0, 3))
        world.dispatch()
        head = world.head(user)[0]
        if number % 3:
            moment = world.tick(dice.uniform(0, 900))
            ack = Ack(user, None, Acked(1, 0, head - 1, head))
            world.database.run(lambda c, ack=ack, moment=moment: devices.flush(c, [ack], [], now=moment))
        if number % 4 == 0:
            world.tick(dice.uniform(0, 900))
            world.read(user, id)


def rows_of(
    connection: sa.Connection, name: str, where: TimeRange | None, now: datetime, limit: int = 1_000
) -> list[Any]:
    """Return all rows of a list, read in pages."""
    rows: list[Any] = []
    cursor = None
    while True:
        page = dashboard_lists.page(connection, LISTINGS[name], where, now, limit=limit, cursor=cursor)
        rows += page.rows
        if page.next is None:
            assert page.total in (len(rows), len(page.rows))
            return rows
        assert len(page.rows) == limit
        cursor = page.next


def span(world: World, newest: int = 20_000) -> TimeRange:
    with world.database.read() as connection:
        return dashboard.span(connection, SINCE, UNTIL, newest=newest)


def nearest(values: list[int], percent: int) -> int:
    """Return the nearest rank: the smallest value that `percent` of 100 do not exceed."""
    place = -(-percent * len(values) // 100)
    return sorted(values)[place - 1]


def test_latencies_are_the_nearest_rank_of_the_rows(world: World) -> None:
    history(world)
    where = span(world)
    with world.database.read() as connection:
        found = dashboard.latencies(connection, where)
        rows = connection.execute(sa.text("SELECT * FROM notifier_report_deliveries")).mappings().all()
    plain: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for row in rows:
        at = row["accepted_at"]
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at.astimezone(UTC)
        if not SINCE <= moment.date() <= UNTIL:
            continue
        for stage in STAGES:
            if row[f"{stage}_ms"] is not None:
                plain[stage, moment.date().isoformat()].append(row[f"{stage}_ms"])
                plain[stage, None].append(row[f"{stage}_ms"])
    assert plain
    assert {(r.stage, r.day): (r.count, r.p50_ms, r.p95_ms, r.p99_ms) for r in found} == {
        key: (len(values), *(nearest(values, p) for p in (50, 95, 99))) for key, values in plain.items()
    }


def test_a_long_range_uses_only_its_newest_rows(world: World) -> None:
    history(world)
    everything, some = span(world), span(world, newest=10)
    assert (everything.whole, some.whole) == (True, False)
    with world.database.read() as connection:
        found = dashboard.latencies(connection, some)
        count = connection.scalar(
            sa.text(
                "SELECT count(*) FROM notifier_report_deliveries WHERE accepted_at >= :at AND accepted_at < :end"
            ),
            {"at": some.begin, "end": some.end}
            if world.database.engine.dialect.name == "postgresql"
            else {"at": f"{some.begin:%Y-%m-%d %H:%M:%S.%f}", "end": f"{some.end:%Y-%m-%d %H:%M:%S.%f}"},
        )
    assert 0 < count <= 10
    assert {r.count for r in found if r.stage == "accepted_to_persisted" and r.day is None} == {count}


def test_an_audience_larger_than_the_limit_is_used_completely(world: World) -> None:
    world.send(*[f"u{number}" for number in range(30)])
    world.dispatch()
    where = span(world, newest=10)
    with world.database.read() as connection:
        assert len(rows_of(connection, "undelivered", where, world.now)) == 30
    assert not where.whole


def test_slowest_and_undelivered(world: World) -> None:
    history(world)
    where = span(world)
    with world.database.read() as connection:
        slow = rows_of(connection, "slowest", where, world.now, limit=7)
        absent = rows_of(connection, "undelivered", where, world.now, limit=7)
        rows = connection.execute(
            sa.text("SELECT user_id, accepted_to_delivered_ms, accepted_at FROM notifier_report_deliveries")
        ).all()
    day_end = where.end.replace(tzinfo=None)
    within = [
        row
        for row in rows
        if (
            datetime.fromisoformat(row.accepted_at)
            if isinstance(row.accepted_at, str)
            else row.accepted_at.astimezone(UTC).replace(tzinfo=None)
        )
        < day_end
    ]
    took = [row.accepted_to_delivered_ms for row in within if row.accepted_to_delivered_ms is not None]
    assert [row.accepted_to_delivered_ms for row in slow] == sorted(took, reverse=True)
    assert len(absent) == len(within) - len(took)
    assert [row.accepted_at for row in absent] == sorted((row.accepted_at for row in absent), reverse=True)


def test_nothing_at_all(world: World) -> None:
    where = span(world)
    with world.database.read() as connection:
        assert where.whole
        assert dashboard.latencies(connection, where) == []
        assert rows_of(connection, "slowest", where, world.now) == []
        assert rows_of(connection, "undelivered", where, world.now) == []
        assert rows_of(connection, "waiting", None, world.now) == []
        assert rows_of(connection, "connected", None, world.now) == []


def test_waiting_and_connected(world: World) -> None:
    first, second = world.send("u1"), world.send("u2")
    gateway = "0123456789abcdef"
    one = Opened("s1", "u1", "phone", gateway, world.tick(), None, 0, 1)
    two = Opened("s2", "u2", None, gateway, world.tick(), None, 0, 1)
    gone = Opened("s3", "u2", None, "fedcba9876543210", world.tick(), None, 0, 1)
    world.database.run(lambda c: sockets.write(c, [one, two, gone], []))
    world.database.run(lambda c: sockets.seen(c, gateway, now=world.now))
    with world.database.read() as connection:
        assert [row.id for row in rows_of(connection, "waiting", None, world.now)] == [first, second]
        assert [row.id for row in rows_of(connection, "connected", None, world.now)] == ["s2", "s1"]
        later = world.now + timedelta(minutes=1)
        assert rows_of(connection, "connected", None, later) == []


def test_pages_of_a_list_lead_forward_and_back(world: World) -> None:
    """Several deliveries of one notification have the same time: the keys after it decide."""
    for _ in range(4):
        world.send(*[f"u{number}" for number in range(6)])
    world.dispatch()
    where, undelivered = span(world), LISTINGS["undelivered"]
    pages, cursor = [], None
    with world.database.read() as connection:
        while True:
            page = dashboard_lists.page(connection, undelivered, where, world.now, limit=5, cursor=cursor)
            pages.append(page)
            assert page.total == 24
            if page.next is None:
                break
            cursor = page.next
        assert [len(page.rows) for page in pages] == [5, 5, 5, 5, 4]
        assert pages[0].previous is None
        assert len({(row.notification_id, row.user_id) for page in pages for row in page.rows}) == 24
        for at in range(4, 0, -1):
            before = dashboard_lists.page(
                connection, undelivered, where, world.now, limit=5, cursor=pages[at].previous
            )
            assert before.rows == pages[at - 1].rows
        assert before.previous is None


def test_what_waits_is_paged_in_the_order_of_its_index(world: World) -> None:
    """SQLite would read all notifications for another order."""
    many = world.send(*[f"u{number}" for number in range(150)])
    singles = [world.send("u1") for _ in range(4)]
    with world.database.read() as connection:
        found = rows_of(connection, "waiting", None, world.now, limit=2)
        assert [row.id for row in found] == [*singles, many]
        listing = LISTINGS["waiting"]
        last = dashboard_lists.page(connection, listing, None, world.now, limit=4)
        after = dashboard_lists.page(connection, listing, None, world.now, limit=4, cursor=last.next)
        assert [row.id for row in after.rows] == [many]
        before = dashboard_lists.page(connection, listing, None, world.now, limit=4, cursor=after.previous)
        assert [row.id for row in before.rows] == singles
        if connection.dialect.name == "sqlite":
            query = listing.select(None, world.now).order_by(*(key.column for key in listing.keys)).limit(20)
            plan = connection.exec_driver_sql(
                "EXPLAIN QUERY PLAN "
                + str(query.compile(connection.engine, compile_kwargs={"literal_binds": True}))
            ).all()
            assert "notifier_notifications_waiting_idx" in str(plan)
            assert "TEMP B-TREE" not in str(plan)
