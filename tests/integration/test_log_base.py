"""A new base: every log continues above any seq a client can have, and no row is rewritten."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from models.store import devices, inbox_heads, log_base
from models.store.delivered import Ack
from models.store.devices import Joined
from models.tables import devices as devices_table
from models.tables import inboxes
from notifier.core.effects import Acked
from notifier.core.errors import InvalidInput
from notifier.core.log import Status
from tests.harness.world import World

USER, OTHER, STRANGER = "u1", "u2", "nobody yet"


def restored(world: World) -> int:
    """Run the command after a restore; return the base."""
    moment = world.tick(60)
    base = world.database.run(lambda connection: log_base.restored(connection, now=moment))
    assert base == round(moment.timestamp() * 1_000_000)
    return base


def heads(world: World, *users: str) -> dict[str, int]:
    """Return the heads as a gateway compares them with its sockets."""
    with world.database.read() as connection:
        return inbox_heads.heads(connection, users)


def history(world: World) -> None:
    """Make a history with everything."""
    first = world.arrive(USER, 5)
    world.badge(USER, "messages", 3)
    world.send(USER, OTHER)
    world.dispatch()
    world.read(USER, first[1])
    world.read_through(USER, 4)
    world.unread(USER, first[0])
    world.archive(USER, first[4])


def test_the_entries_stay_where_they_are_and_only_the_heads_move(world: World) -> None:
    history(world)
    before = {user: (world.log(user), world.page(user), world.snapshot(user)) for user in (USER, OTHER)}
    base = restored(world)
    for user, (entries, page, at) in before.items():
        assert world.log(user) == entries
        assert world.page(user) == page
        now = world.snapshot(user)
        assert (now.head, now.unread, now.badges) == (base, at.unread, at.badges)
        assert now.window == at.window
    assert heads(world, USER, OTHER, STRANGER) == dict.fromkeys((USER, OTHER, STRANGER), base)
    assert world.violations() == []


def test_no_row_of_a_log_is_rewritten(world: World) -> None:
    history(world)
    rows = [world.one(sa.select(inboxes).where(inboxes.c.user_id == user)) for user in (USER, OTHER)]
    restored(world)
    assert rows == [world.one(sa.select(inboxes).where(inboxes.c.user_id == user)) for user in (USER, OTHER)]


def test_a_client_of_the_lost_log_is_reset_whatever_has_arrived_since(world: World) -> None:
    """The client is at 7 of the lost log, and the new one has passed its own 7."""
    world.arrive(USER, 3)
    base = restored(world)
    for _ in range(3):
        assert all(world.snapshot(USER, after).reset for after in range(20))
        world.arrive(USER, 4)
    head = world.head(USER)[0]
    assert head == base + 12
    assert [entry.seq for entry in world.snapshot(USER, head - 12).log or ()] == [*range(head - 11, head + 1)]


def test_it_is_reset_once(world: World) -> None:
    world.arrive(USER, 3)
    base = restored(world)
    at = world.snapshot(USER, 3)
    assert (at.reset, at.head) == ("restored", base)
    assert world.snapshot(USER, at.head).reset is None
    world.arrive(USER, 2)
    assert [entry.seq for entry in world.snapshot(USER, at.head).log or ()] == [base + 1, base + 2]


def test_the_next_entries_follow_without_a_gap(world: World) -> None:
    history(world)
    base = restored(world)
    ids = world.arrive(USER, 2)
    world.read(USER, *ids)
    assert [entry.seq for entry in world.log(USER, base)] == [base + 1, base + 2, base + 3]
    assert world.read_through(USER, base + 3).seq == base + 4
    assert world.violations() == []


def test_a_change_of_state_may_be_the_first_to_come(world: World) -> None:
    ids = world.arrive(USER, 3)
    base = restored(world)
    assert world.read(USER).seq == world.read_through(USER, 0).seq == base  # nothing changed, nothing moved
    changed = world.read(USER, ids[0])
    assert (changed.seq, changed.unread) == (base + 1, 2)
    assert world.read_through(USER, base).seq == base + 2
    assert world.snapshot(USER).window == []
    assert world.violations() == []


def test_unread_counts_pages_and_badges_continue_across_it(world: World) -> None:
    ids = world.arrive(USER, 3)
    world.badge(USER, "tasks", 1)
    world.dispatch()
    base = restored(world)
    assert world.snapshot(USER).badges == {"tasks": 1}
    new = world.arrive(USER, 2)
    world.badge(USER, "tasks", 2)
    world.dispatch()
    assert [item.seq for item in world.page(USER)] == [base + 2, base + 1, 3, 2, 1]
    assert [item.seq for item in world.page(USER, before=base + 1)] == [3, 2, 1]
    assert [entry.unread for entry in world.log(USER)] == [1, 2, 3, 3, 4, 5, 5]
    world.read_through(USER, base + 1)
    world.unread(USER, ids[0])
    assert {item.id for item in world.page(USER, Status.UNREAD)} == {ids[0], new[1]}
    assert (world.snapshot(USER).unread, world.snapshot(USER).badges) == (2, {"tasks": 2})
    assert world.violations() == []


def test_a_user_whom_the_backup_does_not_know_starts_there_too(world: World) -> None:
    base = restored(world)
    assert world.snapshot(STRANGER, 5).reset
    assert world.snapshot(STRANGER).head == base
    assert world.read(STRANGER).seq == world.read_through(STRANGER, 9).seq == base
    world.send(STRANGER, USER)
    world.badge(STRANGER, "tasks", 1)
    world.dispatch()
    assert world.snapshot(STRANGER, 5).reset
    assert [entry.seq for entry in world.snapshot(STRANGER, base).log or ()] == [base + 1, base + 2]
    world.read_through(STRANGER, base + 2)
    assert world.violations() == []


def test_the_same_backup_restored_again_is_beyond_the_first_time(world: World) -> None:
    world.arrive(USER, 3)
    first = restored(world)
    world.arrive(USER, 50)
    reached = world.head(USER)[0]
    later = World(world.database, world.now + timedelta(seconds=1))
    world.database.run(  # as in the backup
        lambda c: c.execute(sa.text("DELETE FROM notifier_restores WHERE base = :base"), {"base": first})
    )
    assert restored(later) > reached
    assert later.snapshot(USER, reached).reset


def test_twice_moves_them_twice(world: World) -> None:
    history(world)
    first = restored(world)
    world.arrive(OTHER, 2)
    assert world.head(OTHER)[0] == first + 2
    second = restored(world)
    world.arrive(STRANGER)
    assert world.snapshot(USER).head == second
    assert world.snapshot(OTHER, first + 2).reset
    assert world.head(STRANGER)[0] == second + 1
    world.arrive(OTHER)
    world.arrive(USER)
    assert world.head(OTHER)[0] == world.head(USER)[0] == second + 1
    assert world.violations() == []


def test_the_audit_finds_a_gap_in_each_part_of_a_log(world: World) -> None:
    world.arrive(USER, 3)
    base = restored(world)
    world.arrive(USER, 3)
    world.sql("DELETE FROM notifier_deliveries WHERE seq = 2")
    world.sql("DELETE FROM notifier_deliveries WHERE seq = :seq", seq=base + 1)
    rows = [found.row for found in world.violations() if found.check.startswith("a log has every seq once")]
    assert sorted(rows) == [
        f"inbox u1: head {base + 3}, purged to 0, entries 2, from 1 to 3",
        f"inbox u1: head {base + 3}, purged to 0, entries 2, from {base + 2} to {base + 3}",
    ]


def test_the_audit_finds_a_log_that_jumps_to_an_unknown_base(world: World) -> None:
    world.arrive(USER, 3)
    world.sql("UPDATE notifier_inboxes SET seq = 900")
    world.arrive(USER)
    assert any(found.check.startswith("a log has every seq once") for found in world.violations())


def test_a_purged_log_stays_purged_and_can_be_purged_on(world: World) -> None:
    world.arrive(USER, 4)
    middle = world.tick()
    world.arrive(USER, 3)
    assert world.purge(middle) == 4
    assert world.snapshot(USER, 3).reset == "purged"
    restored(world)
    assert [entry.seq for entry in world.log(USER)] == [5, 6, 7, 8]  # the last says what has expired
    assert world.violations() == []
    assert world.purge(world.tick()) == 4
    assert world.violations() == []


@pytest.mark.parametrize("rows", [2, 3, 4, 500])
def test_a_purge_goes_across_it(world: World, rows: int) -> None:
    world.arrive(USER, 3)
    base = restored(world)
    world.arrive(USER, 4)
    middle = world.tick()
    world.arrive(USER, 2)
    gone = sum(world.purge(middle, rows) for _ in range(4))
    assert gone == 7
    assert [item.seq for item in world.page(USER)] == [base + 6, base + 5]
    assert world.log(USER)[0].seq == base + 5
    assert world.purge(middle, rows) == 0
    assert world.violations() == []
    assert world.snapshot(USER, base + 2).reset == "purged"
    assert world.snapshot(USER, base + 5).reset is None


def test_a_purge_stops_at_it_where_only_the_old_part_is_old(world: World) -> None:
    world.arrive(USER, 3)
    middle = world.tick()
    base = restored(world)
    world.arrive(USER, 2)
    assert world.purge(middle) == 3
    assert world.purge(middle) == 0
    assert [entry.seq for entry in world.log(USER)] == [base + 1, base + 2, base + 3]
    assert world.violations() == []


def lags(world: World) -> dict[str, int]:
    """Return each device's lag from the report."""
    with world.database.read() as connection:
        found = connection.execute(sa.text("SELECT device, lag FROM notifier_report_devices"))
        return {device: lag for device, lag in found}


def test_a_devices_lag_counts_entries_on_both_sides_of_the_base(world: World) -> None:
    world.arrive(USER, 5)
    start = Joined(USER, "phone", "a socket", 3, 1, 3, None)
    world.database.run(lambda connection: devices.joined(connection, [start], now=world.tick()))
    world.database.run(
        lambda c: devices.flush(c, [Ack(USER, "phone", Acked(1, 3, 0, 3))], [], now=world.tick())
    )
    assert lags(world) == {"phone": 2}
    base = restored(world)
    assert lags(world) == {"phone": 2}
    world.arrive(USER, 3)
    assert lags(world) == {"phone": 5}
    back = Joined(USER, "phone", "another", 3, 1, base + 3, None)
    world.database.run(lambda connection: devices.joined(connection, [back], now=world.tick()))
    world.database.run(
        lambda c: devices.flush(
            c, [Ack(USER, "phone", Acked(1, base + 3, 0, base + 3))], [], now=world.tick()
        )
    )
    assert lags(world) == {"phone": 0}
    assert world.delivered(USER) == [1, 2, 3, 4, 5, base + 1, base + 2, base + 3]
    world.arrive(USER)
    assert lags(world) == {"phone": 1}
    assert world.one(sa.select(devices_table)).acked_seq == base + 3


def test_a_clock_that_went_back_is_refused(world: World) -> None:
    world.arrive(USER)
    restored(world)
    world.now -= timedelta(hours=1)
    with pytest.raises(InvalidInput, match="clock"):
        restored(world)
    assert world.violations() == []
