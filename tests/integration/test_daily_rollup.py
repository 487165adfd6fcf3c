"""Days that are over are rolled up once, and their report always equals the count of the rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import devices, failures, reports, rollup
from models.store.delivered import Ack
from models.tables import report_days, report_marks, report_sums
from notifier.core.effects import Acked
from notifier.outbox.engine import Database
from tests.harness.waiting import until
from tests.harness.world import World, alert
from usecases.rollup import roll_up_days
from worker.daily_rollup import DailyRollup

TODAY = datetime.now(UTC).date()
LONG_AGO = TODAY - timedelta(days=9)


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


@pytest.fixture
def world(database: Database) -> World:
    """Two alerts for u1 and u2, long ago."""
    world = World(database, noon(LONG_AGO))
    world.arrive("u1")
    world.arrive("u2")
    return world


def close(world: World) -> int:
    return roll_up_days(world.database, rest=lambda _: None)


def daily(world: World, day: date = LONG_AGO) -> list[tuple[int, int, int, int | None]]:
    with world.database.read() as connection:
        rows = reports.daily(connection, day, day)
    return [(row.sent, row.delivered, row.read, row.p50_ms) for row in rows]


def summed(world: World) -> list[date]:
    """Return the days that are not counted from the rows."""
    marked = sa.exists().where(report_marks.c.day == report_days.c.day)
    with world.database.read() as connection:
        return list(
            connection.scalars(sa.select(report_days.c.day).where(~marked).order_by(report_days.c.day))
        )


def ack(world: World, user: str, through: int) -> None:
    moment = world.tick()
    world.database.run(lambda c: devices.flush(c, [Ack(user, "d", Acked(1, 0, 0, through))], [], now=moment))


def falsify(world: World) -> None:
    """Change the stored sums, so that a test can see whether they are read."""
    world.sql("UPDATE notifier_report_sums SET sent = 77")


def test_a_day_that_is_over_is_rolled_up(world: World) -> None:
    assert daily(world) == [(2, 0, 0, None)]
    assert close(world) >= 8  # this day, and each day since
    assert LONG_AGO in summed(world)
    assert daily(world) == [(2, 0, 0, None)]
    falsify(world)
    assert daily(world) == [(77, 0, 0, None)]
    assert close(world) == 0, "once is enough"


def test_today_is_counted(world: World) -> None:
    world.now = datetime.now(UTC)
    world.arrive("u3")
    close(world)
    assert TODAY not in summed(world)


CHANGES: dict[str, tuple[Callable[[World], object], tuple[int, int, int]]] = {
    "an ack": (lambda w: ack(w, "u1", 1), (2, 1, 0)),
    "a read": (lambda w: w.read("u1", w.page("u1")[0].id), (2, 1, 1)),
    "an archive": (lambda w: w.archive("u1", w.page("u1")[0].id), (2, 1, 1)),
    "a watermark": (lambda w: w.read_through("u1", 1), (2, 1, 1)),
    "an unread": (lambda w: (w.read_through("u1", 1), w.unread("u1", w.page("u1")[0].id)), (2, 1, 0)),
    "a late recipient": (lambda w: w.dispatch(), (3, 0, 0)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_later_change_shows_at_once_and_is_rolled_up_again(world: World, change: str) -> None:
    deed, expected = CHANGES[change]
    if change == "a late recipient":
        world.now = noon(LONG_AGO)
        waiting = world.accept("u3").id
        world.sql("UPDATE notifier_notifications SET state = 'dead' WHERE id = :id", id=waiting)
        close(world)
        assert LONG_AGO in summed(world)
        world.sql("UPDATE notifier_notifications SET state = 'accepted' WHERE id = :id", id=waiting)
        close(world)
        assert LONG_AGO not in summed(world), "something of that day waits"
    else:
        close(world)
    deed(world)
    assert LONG_AGO not in summed(world)
    assert [row[:3] for row in daily(world)] == [expected]
    close(world)
    assert LONG_AGO in summed(world)
    assert [row[:3] for row in daily(world)] == [expected]


def test_what_changes_while_it_is_counted_is_not_lost(world: World) -> None:
    """The writer commits between the two transactions of a rollup: its mark remains."""
    with world.database.read() as connection:
        sums = rollup.count(connection, LONG_AGO)
    assert sums is not None
    ack(world, "u1", 1)
    assert world.database.run(partial(rollup.put, sums=sums))
    assert [row[:3] for row in daily(world)] == [(2, 1, 0)]
    assert LONG_AGO not in summed(world)


def test_of_two_rollups_the_slower_one_gives_up(world: World) -> None:
    with world.database.read() as connection:
        slow = rollup.count(connection, LONG_AGO)
    assert slow is not None
    ack(world, "u1", 1)
    close(world)
    assert not world.database.run(partial(rollup.put, sums=slow))
    ack(world, "u2", 1)
    with world.database.read() as connection:
        slow = rollup.count(connection, LONG_AGO)
    assert slow is not None
    close(world)
    assert not world.database.run(partial(rollup.put, sums=slow))
    assert [row[:3] for row in daily(world)] == [(2, 2, 0)]


def test_a_writer_that_commits_after_the_rollup_shows_in_the_report(
    postgres_database: Database,
) -> None:
    """On PostgreSQL the writer's transaction may be open during the whole rollup."""
    world = World(postgres_database, noon(LONG_AGO))
    world.arrive("u1")
    written, go_on = threading.Event(), threading.Event()

    def write(connection: Connection) -> None:
        devices.flush(connection, [Ack("u1", "d", Acked(1, 0, 0, 1))], [], now=world.now)
        written.set()
        assert go_on.wait(10)

    writer = threading.Thread(target=world.database.run, args=(write,))
    writer.start()
    assert written.wait(10)
    close(world)
    assert LONG_AGO in summed(world)
    go_on.set()
    writer.join(10)
    assert [row[:3] for row in daily(world)] == [(1, 1, 0)]


def test_a_fresh_delivery_leaves_no_mark_and_its_day_is_not_rolled_up(world: World) -> None:
    """Accepted long ago, dispatched just now: its changes leave no mark, so it must not be in a sum."""
    world.accept("u3")
    world.now = datetime.now(UTC) - timedelta(minutes=30)
    world.dispatch()
    world.sql("DELETE FROM notifier_report_marks")
    ack(world, "u3", 1)
    world.read_through("u3", 1)
    assert world.count(report_marks) == 0
    close(world)
    assert LONG_AGO not in summed(world)
    assert [row[:3] for row in daily(world)] == [(3, 1, 1)]


def test_a_dead_one_that_reached_somebody_just_now_keeps_its_day_open(world: World) -> None:
    id = world.accept(*(f"user {number}" for number in range(150))).id
    world.now = datetime.now(UTC) - timedelta(minutes=30)
    world.chunk(id, 50)
    number = world.notification(id).number
    world.database.run(
        lambda c: failures.postpone(c, number, "no", now=world.now, delay=timedelta(0), max_attempts=1)
    )
    close(world)
    assert LONG_AGO not in summed(world)


def test_a_purged_day_keeps_its_rollup(world: World) -> None:
    ack(world, "u1", 1)
    close(world)
    before = daily(world)
    world.now = datetime.now(UTC)
    world.purge(noon(TODAY - timedelta(days=2)))
    assert daily(world) == before
    close(world)
    assert daily(world) == before
    assert LONG_AGO in summed(world)
    world.sql("DELETE FROM notifier_report_days")
    assert daily(world) == before, "from the history alone"
    close(world)
    assert daily(world) == before


def test_types_and_events_are_kept_apart(world: World) -> None:
    world.now = noon(LONG_AGO)
    world.accept("u1", data=alert(type="error"))
    world.badge("u1", "tasks", 3)
    world.dispatch()

    def report() -> list[Any]:
        with world.database.read() as connection:
            return [tuple(row) for row in reports.daily(connection)]

    counted = report()
    assert len(counted) == 3
    close(world)
    assert world.count(report_sums) == 3
    assert report() == counted


def test_a_worker_rolls_up_days_beside_its_tasks(world: World) -> None:
    clock = 0.0
    closer = DailyRollup(lambda: clock)
    closer(world.database)
    until(lambda: LONG_AGO in summed(world), 20, "the day is summed")
    closer.join(20)
    ack(world, "u1", 1)
    closer(world.database)
    assert LONG_AGO not in summed(world), "it was just done"
    clock = 61.0
    closer(world.database)
    until(lambda: LONG_AGO in summed(world), 20, "the day is summed again")
    closer.join(20)
