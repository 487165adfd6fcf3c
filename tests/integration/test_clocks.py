"""Times keep the order of events, even when the clocks of the processes differ."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from models.store import devices, dispatch, pages
from models.store.delivered import Ack
from models.store.devices import Joined
from notifier.core.effects import Acked
from notifier.core.log import Status
from tests.harness.world import World

BEHIND = timedelta(seconds=30)
COLUMNS = "accepted_to_persisted_ms, persisted_to_delivered_ms, delivered_to_read_ms, accepted_to_delivered_ms, accepted_to_read_ms"


def latencies(world: World) -> list[tuple[int | None, ...]]:
    with world.database.read() as connection:
        return [
            tuple(row)
            for row in connection.execute(sa.text(f"SELECT {COLUMNS} FROM notifier_report_deliveries"))
        ]


@pytest.fixture
def late(world: World) -> World:
    """Three alerts and a broadcast, dispatched by a worker whose clock is behind the senders'."""
    ids = [world.send("u1") for _ in range(3)]
    bulk = world.send(*(f"u{number}" for number in range(150)))
    world.now -= BEHIND
    world.database.run(lambda c: dispatch.dispatch_batch(c, limit=10, now=world.now, woken_at=world.now))
    while world.chunk(bulk, 100).more:
        pass
    for id in (*ids, bulk):
        row = world.notification(id)
        assert row.accepted_at <= row.dispatched_at
        assert row.woken_at is None or row.accepted_at <= row.woken_at
    world.now -= BEHIND
    return world


def test_an_ack_by_a_clock_that_is_behind(late: World) -> None:
    joined = Joined("u1", "phone", "socket", None, 5, 0, None)
    late.database.run(lambda c: devices.joined(c, [joined], now=late.now))
    for acked in (Acked(1, 0, 0, 2), Acked(1, 0, 2, 4)):
        ack = Ack("u1", "phone", acked, "socket", late.now)
        late.database.run(lambda c, ack=ack: devices.flush(c, [ack], [], now=late.now))
    assert late.delivered("u1") == [1, 2, 3, 4]
    late.read_through("u1", 4)
    assert all(one is None or one >= 0 for row in latencies(late) for one in row)


@pytest.mark.parametrize("by", ["one by one", "watermark", "kept unread", "archived"])
def test_a_read_by_a_clock_that_is_behind(late: World, by: str) -> None:
    ids = [entry.id or "" for entry in late.log("u1")]
    if by == "one by one":
        late.read("u1", *ids)
    elif by == "archived":
        late.archive("u1", *ids)
    else:
        late.read_through("u1", 4)
        if by == "kept unread":
            late.unread("u1", *ids)
            late.read_through("u1", 5)
    assert late.head("u1")[1] == 0
    found = latencies(late)
    assert all(one is None or one >= 0 for row in found for one in row)
    assert sum(row[4] is not None for row in found) == 4
    assert late.violations() == []


def test_a_watermark_by_a_clock_that_is_behind_that_of_an_older_entry(world: World) -> None:
    """The newest entry under the mark came by a clock that is right, the one before it by one that is ahead."""
    world.now += BEHIND
    first = world.send("u1")
    world.dispatch()
    world.now -= 2 * BEHIND
    second = world.send("u1")
    world.dispatch()
    world.read_through("u1", 2)
    assert all(one is None or one >= 0 for row in latencies(world) for one in row)
    with world.database.read() as connection:
        items = {item.id: item for item in pages.page(connection, "u1", Status.READ, 10, None)[0]}
        query = "SELECT min(p50_ms), min(p95_ms) FROM notifier_report_daily"
        assert min(connection.execute(sa.text(query)).one()) >= 0
        came = sa.text("SELECT notification_id, persisted_at, read_at FROM notifier_report_deliveries")
        for id, persisted, read in connection.execute(came):
            assert read >= persisted, id
    assert set(items) == {first, second}
    assert world.violations() == []
