"""What leaves the inbox leaves it once, with one log entry that says why, and every count stays exact."""

from __future__ import annotations

import pytest

from models.store import removal
from models.store.delivered import Ack, deliver
from models.tables import changes
from notifier.core.effects import Acked
from notifier.core.log import ARCHIVED, Status, Why
from notifier.outbox.engine import Database
from tests.harness.world import World

USER = "u1"
WITHDRAWN = (Why.RETRACTED, Why.EXPIRED)


def ack(world: World, user: str, through: int) -> None:
    """A device acks its whole log."""
    acks = [Ack(user, None, Acked(1, 0, 0, through))]
    world.database.run(lambda connection: deliver(connection, acks, now=world.tick()))


def everywhere(world: World, user: str = USER) -> set[str]:
    """The ids that any page or a window lists."""
    found = {item.id for status in Status for item in world.page(user, status)}
    return found | {item.id for item in world.snapshot(user).window or ()}


@pytest.mark.parametrize("why", WITHDRAWN)
def test_an_entry_is_taken_out_with_one_log_entry_and_counted_off(world: World, why: Why) -> None:
    first, second = world.arrive(USER, 2)
    (user, entry), *rest = world.withdraw(first, why=why)
    assert (user, rest) == (USER, [])
    assert (entry.seq, entry.event, entry.data) == (3, ARCHIVED, {"ids": [first], "why": why})
    assert world.log(USER)[-1] == entry
    assert world.head(USER) == (3, 1)
    assert everywhere(world) == {second}
    assert world.violations() == []


@pytest.mark.parametrize("why", WITHDRAWN)
def test_a_replay_has_the_removal_in_the_place_of_the_arrival(world: World, why: Why) -> None:
    first, second = world.arrive(USER, 2)
    world.withdraw(first, why=why)
    told = [(entry.seq, entry.event, entry.data.get("why"), entry.unread) for entry in world.log(USER)]
    assert told == [(1, ARCHIVED, why, 1), (2, "alert", None, 2), (3, ARCHIVED, why, 1)]
    assert [entry.seq for entry in world.snapshot(USER, 0).log or ()] == [1, 2, 3]
    assert next(entry.data for entry in world.snapshot(USER, 0).log or ()) == {"ids": [first], "why": why}
    assert second


def test_the_body_is_gone_with_the_row_and_the_count_follows_the_log(world: World) -> None:
    """Between the row's mark and the user's entry."""
    id = world.send(USER, "u2")
    world.dispatch()
    world.withdraw(id, "u2")
    assert everywhere(world) == set()
    (entry,) = world.log(USER)
    assert (entry.event, entry.data, entry.unread) == (ARCHIVED, {"ids": [id], "why": "retracted"}, 1)
    assert world.head(USER) == (1, 1)
    assert world.head("u2") == (2, 0)
    assert world.violations() == []
    world.withdraw(id)
    assert world.head(USER) == (2, 0)


def test_told_twice_it_is_written_once(world: World) -> None:
    (id,) = world.arrive(USER)
    assert len(world.withdraw(id)) == 1
    assert world.withdraw(id, USER) == []
    assert world.withdraw(id, USER, why=Why.EXPIRED) == []
    assert world.head(USER) == (2, 0)
    assert world.count(changes) == 1


@pytest.mark.parametrize("how", ["one by one", "watermark", "archived", "unread again", "snoozed", "not"])
def test_a_recount_in_between_takes_none_off_twice(world: World, how: str) -> None:
    first, second = world.arrive(USER, 2)
    match how:
        case "one by one":
            world.read(USER, first)
        case "watermark":
            world.read_through(USER, 2)
        case "archived":
            world.archive(USER, first)
        case "unread again":
            world.read_through(USER, 2)
            world.unread(USER, first, second)
        case "snoozed":
            world.snooze(USER, first)
    read = None if how in ("not", "unread again", "snoozed") else world.item(USER, first).read_at
    before = 2 if how in ("unread again", "not") else world.head(USER)[1]
    world.withdraw(first)
    assert world.head(USER)[1] == before - (how in ("unread again", "not"))
    assert world.violations() == []
    # Nothing that follows touches it, or counts it.
    row = world.delivery(USER, first)
    assert (row.read_at is None) == (read is None)
    world.arrive(USER)
    world.read_through(USER, world.head(USER)[0])
    world.unread(USER, first, second)
    world.read(USER, first)
    world.archive(USER, first)
    world.snooze(USER, first)
    world.unsnooze(USER, first)
    ack(world, USER, world.head(USER)[0])
    after = world.delivery(USER, first)
    assert (after.read_at, after.delivered_at, after.archived_at) == (
        row.read_at,
        row.delivered_at,
        row.archived_at,
    )
    assert (after.hidden, after.seq) == ("retracted", row.seq)
    assert everywhere(world).isdisjoint({first})
    assert world.violations() == []


def test_being_removed_is_not_being_delivered(world: World) -> None:
    first, second = world.arrive(USER, 2)
    world.withdraw(first)
    ack(world, USER, 2)
    assert world.delivered(USER) == [2]
    assert second


def test_a_chunk_of_users_is_told_in_a_few_statements_each_by_its_own_count(world: World) -> None:
    users = [f"user {number}" for number in range(30)]
    for number, user in enumerate(users):
        world.arrive(user, number % 3)
    id = world.send(*users)
    world.dispatch()
    world.read(users[4], id)
    entries = world.withdraw(id)
    assert [user for user, _ in entries] == sorted(users)
    for user, entry in entries:
        assert entry == world.log(user)[-1]
        assert (entry.seq, entry.unread) == world.head(user)
    assert world.violations() == []


def test_holders_come_page_by_page_until_their_logs_are_told(world: World) -> None:
    users = sorted(f"user {number}" for number in range(7))
    id = world.send(*users)
    world.dispatch()
    world.snooze(users[1], id)

    def page(after: str) -> list[str]:
        with world.database.read() as connection:
            return removal.holders(connection, id, after=after, limit=3)

    assert page("") == users[:3]
    assert page(users[2]) == users[3:6]
    world.withdraw(id, *users[:4])
    assert page("") == users[4:]


def test_a_locked_inbox_is_passed_over_and_named(postgres_database: Database) -> None:
    world = World(postgres_database)
    id = world.send("u1", "u2", "u3")
    world.dispatch()
    with postgres_database.engine.connect() as other:
        other.exec_driver_sql("SELECT * FROM notifier_inboxes WHERE user_id = 'u2' FOR UPDATE")
        done = postgres_database.run(
            lambda c: removal.remove(c, id, ["u1", "u2", "u3", "nobody"], Why.RETRACTED, now=world.tick())
        )
    assert [user for user, _ in done.entries] == ["u1", "u3"]
    assert done.busy == {"u2"}
    assert [user for user, _ in world.withdraw(id)] == ["u2"]
    assert world.violations() == []


def test_a_badge_is_left_alone(world: World) -> None:
    badge = world.badge(USER, "tasks", 3)
    world.dispatch()
    assert world.withdraw(badge, USER) == []
    assert world.head(USER) == (1, 0)


def test_what_the_user_archives_says_so(world: World) -> None:
    (id,) = world.arrive(USER)
    assert world.archive(USER, id).entries[0].data == {"ids": [id], "why": "user"}


def test_a_purge_counts_nothing_twice(world: World) -> None:
    ids = world.arrive(USER, 4)
    world.withdraw(ids[0])
    world.withdraw(ids[2], why=Why.EXPIRED)
    world.purge(world.tick())
    assert world.head(USER)[1] == 0
    assert world.violations() == []
