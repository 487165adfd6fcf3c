"""After a restore every log counts on where no client has ever been, and says the same as before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from models.store import devices, restores
from models.store.devices import Joined
from models.tables import devices as devices_table
from models.tables import metadata
from notifier.core.errors import InvalidInput
from notifier.core.log import READ, Entry
from tests.harness.world import World

USER, OTHER, STRANGER = "u1", "u2", "nobody yet"


def restored(world: World) -> int:
    """The database was brought back, and the command is run; returns what all logs count on from."""
    moment = world.tick(60)
    world.database.run(lambda connection: restores.renumber(connection, now=moment))
    return round(moment.timestamp() * 1_000_000)


def moved(entry: Entry, by: int) -> Entry:
    """An entry as it must stand after the logs have moved."""
    data = entry.data
    if entry.event == READ and "through" in data:
        data = {"through": data["through"] + by}
    return replace(entry, seq=entry.seq + by, data=data)


def history(world: World) -> None:
    """Some of everything."""
    first = world.arrive(USER, 5)
    world.badge(USER, "messages", 3)
    world.send(USER, OTHER)
    world.dispatch()
    world.read(USER, first[1])
    world.read_through(USER, 4)
    world.unread(USER, first[0])
    world.archive(USER, first[4])


def test_a_log_says_the_same_and_only_its_seqs_have_moved(world: World) -> None:
    history(world)
    before = {user: (world.log(user), world.page(user), world.snapshot(user)) for user in (USER, OTHER)}
    base = restored(world)
    for user, (log, page, at) in before.items():
        by = base - at.head
        assert world.log(user) == [moved(entry, by) for entry in log]
        assert world.page(user) == [replace(item, seq=item.seq + by) for item in page]
        now = world.snapshot(user)
        assert (now.head, now.unread, now.badges) == (base, at.unread, at.badges)
        assert now.window is not None
        assert [item.id for item in now.window] == [item.id for item in at.window or ()]
    assert world.violations() == []


def test_whoever_stands_in_the_lost_history_starts_afresh_whatever_has_come_since(world: World) -> None:
    """The trap: at 7 of the lost history, while the new one has got to its own 7 and beyond."""
    world.arrive(USER, 3)
    restored(world)
    for _ in range(3):
        assert all(world.snapshot(USER, after).reset for after in range(20))
        world.arrive(USER, 4)
    head = world.head(USER)[0]
    assert [entry.seq for entry in world.snapshot(USER, head - 12).log or ()] == [*range(head - 11, head + 1)]


def test_what_comes_next_follows_without_a_hole(world: World) -> None:
    history(world)
    base = restored(world)
    ids = world.arrive(USER, 2)
    world.read(USER, *ids)
    assert [entry.seq for entry in world.log(USER, base)] == [base + 1, base + 2, base + 3]
    assert world.read_through(USER, base + 3).seq == base + 4
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


def test_the_same_backup_restored_again_stands_beyond_the_first_time(world: World) -> None:
    world.arrive(USER, 3)
    restored(world)
    world.arrive(USER, 50)
    reached = world.head(USER)[0]
    later = World(world.database, world.now + timedelta(seconds=1))
    world.database.run(lambda c: c.execute(sa.text("DELETE FROM notifier_restores")))  # as the backup has it
    assert restored(later) > reached
    assert later.snapshot(USER, reached).reset


def test_twice_moves_them_twice(world: World) -> None:
    history(world)
    restored(world)
    second = restored(world)
    world.arrive(STRANGER)
    assert world.head(USER)[0] == second
    assert world.head(STRANGER)[0] == second + 1
    assert world.violations() == []


def test_a_purged_log_stays_purged_and_can_be_purged_on(world: World) -> None:
    world.arrive(USER, 4)
    middle = world.tick()
    world.arrive(USER, 3)
    world.purge(middle)
    assert world.snapshot(USER, 3).reset == "purged"
    base = restored(world)
    assert [entry.seq for entry in world.log(USER)] == [*range(base - 3, base + 1)]
    assert world.violations() == []
    assert world.purge(world.tick()) > 0
    assert world.violations() == []


def test_a_device_is_as_far_behind_as_before(world: World) -> None:
    world.arrive(USER, 5)
    start = Joined(USER, "phone", "a socket", None, 1, 3, None)
    world.database.run(lambda connection: devices.joined(connection, [start], now=world.tick()))
    base = restored(world)
    row = world.one(sa.select(devices_table))
    assert (row.log_from, row.window_from, row.acked_seq) == (base - 2, base - 4, base - 5)


def test_a_clock_that_went_back_is_refused(world: World) -> None:
    world.arrive(USER)
    restored(world)
    world.now -= timedelta(hours=1)
    with pytest.raises(InvalidInput, match="clock"):
        restored(world)
    assert world.violations() == []


def test_every_column_that_holds_a_seq_moves() -> None:
    """A seq is a big number beside a user's id; a new one must be named in SEQS."""
    numbers = {
        f"{table}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if "user_id" in table.columns and isinstance(column.type, sa.BigInteger)
    }
    assert numbers == {f"{table}.{name}" for table, names in restores.SEQS.items() for name in names}
