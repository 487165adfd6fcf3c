"""Old entries are deleted in small steps; no log gets a gap, and every count stays right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from models.store import devices, failures, purge, reports, sockets, status
from models.store.delivered import Ack
from models.store.sockets import Opened
from models.tables import badges, deliveries, notifications, read_marks, report_history
from models.tables import sockets as sockets_table
from notifier.core.effects import Acked
from notifier.core.errors import IdempotencyMismatch
from notifier.core.log import READ, WINDOW
from tests.harness.world import World, alert
from usecases import retention

DAYS = 90 * 24 * 3600.0


def settle(world: World) -> None:
    assert world.violations() == []


def later(world: World, rows: int = 500) -> Callable[[], int]:
    """Advance the clock by three months; return a function that purges everything before."""
    before = world.tick()
    world.tick(DAYS)
    return lambda: world.purge(before, rows)


def test_a_client_that_asks_for_purged_entries_is_reset(world: World) -> None:
    world.arrive("u1", 3)
    clear = later(world)
    world.arrive("u1")
    assert clear() == 3
    for after in (0, 1, 2):
        snapshot = world.snapshot("u1", after)
        assert snapshot.reset == "purged"
        assert [item.seq for item in snapshot.window or ()] == [4]
    resumed = world.snapshot("u1", 3)
    assert resumed.reset is None
    assert [entry.seq for entry in resumed.log or ()] == [4, 5]
    settle(world)


def test_what_is_younger_stays(world: World) -> None:
    world.arrive("u1", 3)
    assert world.purge(world.now - timedelta(days=90)) == 0
    assert len(world.log("u1")) == 3


def test_old_entries_that_are_unread_expire_and_the_log_says_so(world: World) -> None:
    world.arrive("u1", 3)
    clear = later(world)
    world.arrive("u1", 2)
    clear()
    assert [(e.seq, e.event, e.unread) for e in world.log("u1", 3)] == [
        (4, "alert", 4), (5, "alert", 5), (6, READ, 2),
    ]  # fmt: skip
    assert dict(world.log("u1", 5)[0].data) == {"through": 3}
    assert world.head("u1") == (6, 2)
    assert [item.seq for item in world.snapshot("u1").window or ()] == [4, 5]
    settle(world)


def test_an_entry_that_was_kept_unread_expires_too(world: World) -> None:
    first, _ = world.arrive("u1", 2)
    world.read_through("u1", 2)
    world.unread("u1", first)
    clear = later(world)
    clear()
    assert world.head("u1") == (5, 0)
    settle(world)


def test_what_expires_is_not_reported_as_read(world: World) -> None:
    world.arrive("u1", 3)
    clear = later(world)
    clear()
    with world.database.read() as connection:
        (day,) = reports.daily(connection)
    assert (day.sent, day.delivered, day.read, day.p50_ms) == (3, 0, 0, None)


def test_read_entries_are_purged_without_an_event(world: World) -> None:
    world.arrive("u1", 3)
    world.read_through("u1", 3)
    clear = later(world)
    assert clear() == 4
    assert world.head("u1") == (4, 0)
    assert world.log("u1") == []
    assert world.count(read_marks) == 0
    world.arrive("u1")
    assert [entry.seq for entry in world.log("u1")] == [5]
    settle(world)


def test_a_mark_that_still_covers_a_kept_entry_is_kept(world: World) -> None:
    world.arrive("u1")
    clear = later(world)
    (fresh,) = world.arrive("u1")
    world.read_through("u1", 2)
    read_at = world.item("u1", fresh).read_at
    clear()
    assert world.item("u1", fresh).read_at == read_at
    settle(world)


def test_badges_keep_their_present_value(world: World) -> None:
    world.badge("u1", "tasks", 4)
    world.dispatch()
    clear = later(world)
    clear()
    assert world.snapshot("u1").badges == {"tasks": 4}
    assert world.count(badges) == 1
    assert (world.count(deliveries), world.count(notifications)) == (0, 0)
    settle(world)


def test_a_notification_is_deleted_with_its_last_delivery_and_counted_until_then(world: World) -> None:
    id = world.send("u1", "u2", "u3")
    world.dispatch()
    world.read("u1", id)
    clear = later(world)
    # u2's log cannot be purged: its first entry is made recent again.
    world.sql(
        "UPDATE notifier_deliveries SET persisted_at = :now WHERE user_id = 'u2'",
        now=world.now.isoformat(" "),
    )
    clear()
    assert world.count(deliveries) == 1
    with world.database.read() as connection:
        found = status.status(connection, id)
        (row,) = reports.notifications(connection).rows
    assert found is not None
    assert (found.recipients, found.delivered, found.read) == (3, 1, 1)
    assert (row.sent, row.delivered, row.read) == (3, 1, 1)
    settle(world)
    later(world)()
    assert world.count(notifications) == 0
    settle(world)


def test_dead_notifications_are_kept(world: World) -> None:
    id = world.send("u1")
    number = world.notification(id).number
    moment = world.tick()
    world.database.run(
        lambda c: failures.postpone(c, number, "broken", now=moment, delay=timedelta(0), max_attempts=1)
    )
    later(world)()
    assert world.notification(id).state == "dead"


def test_what_waits_is_kept(world: World) -> None:
    id = world.send("u1")
    later(world)()
    assert world.notification(id).state == "accepted"
    world.dispatch()
    settle(world)


def test_a_key_is_kept_as_long_as_its_notification(world: World) -> None:
    world.accept("u1", data=alert("one"), key="k")
    world.dispatch()
    world.purge(world.now - timedelta(days=1))
    with pytest.raises(IdempotencyMismatch):
        world.accept("u1", data=alert("other"), key="k")
    later(world)()
    assert not world.accept("u1", data=alert("other"), key="k").replayed


def test_a_day_keeps_its_percentiles_however_it_was_purged(world: World) -> None:
    for wait in (0.02, 0.4, 0.03, 90.0, 0.02):
        world.arrive("u1")
        moment, head = world.tick(wait), world.head("u1")[0]
        ack = [Ack("u1", None, Acked(1, 0, head - 1, head))]
        world.database.run(lambda c, a=ack, m=moment: devices.flush(c, a, [], now=m))
    clear = later(world)
    with world.database.read() as connection:
        before = reports.daily(connection)
    assert [(row.p50_ms, row.p95_ms) for row in before] == [(2030, 92_000)]
    users, rows = ["u1"], 2
    for _ in range(4):  # in part, and as a whole
        world.database.run(
            lambda c: purge.purge(c, users, before=world.now - timedelta(days=1), limit=rows, now=world.now)
        )
        with world.database.read() as connection:
            assert reports.daily(connection) == before
    clear()
    assert world.count(deliveries) == 0
    assert 0 < world.count(report_history) < 5
    with world.database.read() as connection:
        assert reports.daily(connection) == before


def test_a_step_is_small_and_the_next_one_continues(world: World) -> None:
    for user in ("a", "b", "c"):
        world.arrive(user, 5)
        world.read_through(user, 5)
    before = world.tick()
    world.tick(DAYS)
    after: str | None = ""
    sizes, places = [], []
    while after is not None:
        done = retention.step(world.database, before=before, after=after, now=world.tick(), rows=4)
        after = done.after
        sizes.append(done.entries)
        places.append(after)
        settle(world)
    assert max(sizes) <= 4
    assert sum(sizes) == 18
    assert places[-1] is None
    assert world.count(deliveries) == 0


def test_what_two_concurrent_purges_left_is_deleted_by_the_next(world: World) -> None:
    id = world.send("u1", "u2")
    world.dispatch()
    clear = later(world)
    clear_rows = (
        "DELETE FROM notifier_deliveries",
        "UPDATE notifier_inboxes SET purged_seq = 1, unread = 0",
        "UPDATE notifier_notifications SET purged = 2",
    )
    for statement in clear_rows:
        world.sql(statement)
    settle(world)
    clear()
    with world.database.read() as connection:
        assert connection.execute(sa.select(notifications).where(notifications.c.id == id)).first() is None


def test_old_sockets_are_deleted_too(world: World) -> None:
    opened = [
        Opened(f"s{number}", "u1", None, "g", opened_at=world.tick(), after=None, head=0, window_from=1)
        for number in range(5)
    ]
    world.database.run(lambda c: sockets.write(c, opened, []))
    clear = later(world, rows=2)
    kept = Opened("kept", "u1", None, "g", opened_at=world.tick(), after=None, head=0, window_from=1)
    world.database.run(lambda c: sockets.write(c, [kept], []))
    clear()
    assert world.count(sockets_table) == 1


def test_old_sockets_are_deleted_in_small_steps_even_when_nothing_is_purged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SOCKETS", 3)
    opened = [
        Opened(f"s{number}", "u1", None, "g", opened_at=world.tick(), after=None, head=0, window_from=1)
        for number in range(5)
    ]
    world.database.run(lambda c: sockets.write(c, opened, []))
    now = world.tick() + retention.SOCKETS_KEPT - timedelta(hours=1)
    assert not retention.forget_sockets(world.database, now=now)
    assert world.count(sockets_table) == 5
    now += timedelta(hours=2)
    assert retention.forget_sockets(world.database, now=now)
    assert not retention.forget_sockets(world.database, now=now)
    assert world.count(sockets_table) == 0


def test_the_window_of_a_user_with_nothing_left_is_empty(world: World) -> None:
    world.arrive("u1", WINDOW + 1)
    later(world)()
    snapshot = world.snapshot("u1")
    assert (snapshot.head, snapshot.unread, snapshot.window) == (WINDOW + 2, 0, [])
