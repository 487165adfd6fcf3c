"""Of one user's entries with the same sender and collapse key only the newest stays in the inbox."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from models.store import dispatch
from notifier.core.draft import draft
from notifier.core.log import ARCHIVED, Status, Why
from notifier.outbox.accept import accept
from notifier.outbox.types import now
from tests.harness.world import World, alert

USER = "u1"
BUILD = {"collapse_key": "build 7"}


def arrive(world: World, *to: str, **life: object) -> str:
    id = world.send(*(to or (USER,)), **{**BUILD, **life})
    world.dispatch()
    return id


def told(world: World, user: str = USER) -> list[tuple[object, ...]]:
    return [
        (e.seq, e.id, e.collapsed, e.unread) if e.id else (e.seq, e.event, dict(e.data), e.unread)
        for e in world.log(user)
    ]


def ids(world: World, status: Status = Status.ALL, user: str = USER) -> list[str]:
    return [item.id for item in world.page(user, status)]


def gone(older: str, by: str) -> dict[str, object]:
    return {"ids": [older], "why": "collapsed", "by": by}


def test_the_older_one_leaves_and_the_newer_one_arrives_with_how_many_it_stands_for(world: World) -> None:
    first, second, third = arrive(world), arrive(world), arrive(world)
    assert told(world) == [
        (1, first, None, 1),
        (2, ARCHIVED, gone(first, second), 0),
        (3, second, 2, 1),
        (4, ARCHIVED, gone(second, third), 0),
        (5, third, 3, 1),
    ]
    assert world.head(USER) == (5, 1)
    assert [ids(world, status) for status in Status] == [[third], [third], [], [], []]
    assert world.item(USER, third).collapsed == 3
    assert world.violations() == []


def test_what_is_published_is_what_the_log_says(world: World) -> None:
    arrive(world)
    world.send(USER, **BUILD)
    published = world.dispatch()
    assert [entry for _, entry in published] == world.log(USER)[1:]


def test_several_of_one_batch_collapse_into_the_last(world: World) -> None:
    before = arrive(world)
    batch = [world.send(USER, **({} if number == 1 else BUILD)) for number in range(4)]
    world.dispatch()
    assert [row[:3] for row in told(world) if row[1] != ARCHIVED] == [
        (1, before, None), (3, batch[0], 2), (4, batch[1], None), (6, batch[2], 3), (8, batch[3], 4),
    ]  # fmt: skip
    assert ids(world) == [batch[3], batch[1]]
    assert world.head(USER) == (8, 2)
    assert [len(item) for item in [world.snapshot(USER).window or ()]] == [2]
    assert world.violations() == []


@pytest.mark.parametrize("state", ["read", "watermark", "archived", "snoozed", "unread again"])
def test_whatever_state_the_older_one_is_in_it_goes_and_only_unread_ones_are_counted(
    world: World, state: str
) -> None:
    first = arrive(world)
    match state:
        case "read":
            world.read(USER, first)
        case "watermark" | "unread again":
            world.read_through(USER, 1)
        case "archived":
            world.archive(USER, first)
        case "snoozed":
            world.snooze(USER, first, until=now() - timedelta(seconds=1))
    if state == "unread again":
        world.unread(USER, first)
    second = arrive(world)
    assert world.log(USER)[-1].collapsed == (2 if state == "unread again" else 1)
    assert world.head(USER)[1] == 1
    assert world.bring_back() == []
    assert ids(world) == [second]
    assert ids(world, Status.SNOOZED) == ids(world, Status.ARCHIVED) == []
    row = world.delivery(USER, first)
    assert not world.unread(USER, first).entries
    world.read_through(USER, 100)
    assert world.delivery(USER, first) == row
    assert world.violations() == []


def test_keys_senders_and_users_never_meet(world: World) -> None:
    first = arrive(world)
    other_key = arrive(world, collapse_key="build 8")
    what = draft(user_id=USER, data=alert(), sender="billing", **BUILD)
    world.database.run(lambda connection: accept(connection, what, now=world.tick()))
    world.dispatch()
    arrive(world, "u2")
    assert ids(world) == [what.id, other_key, first]
    assert len(ids(world, user="u2")) == 1


def test_retracting_the_newest_brings_none_back_and_the_next_one_starts_again(world: World) -> None:
    arrive(world)
    second = arrive(world)
    world.withdraw(second)
    assert ids(world) == []
    third = arrive(world)
    assert told(world)[-1] == (5, third, None, 1)
    assert world.violations() == []


def test_a_retracted_one_that_was_collapsed_before_is_told_of_once(world: World) -> None:
    first, second = arrive(world), arrive(world)
    assert world.withdraw(first, USER, why=Why.RETRACTED) == []
    assert ids(world) == [second]
    assert world.log(USER)[0].data == {"ids": [first], "why": "retracted"}
    assert world.violations() == []


def test_a_returned_one_is_replaced_at_its_new_place(world: World) -> None:
    first = arrive(world)
    world.snooze(USER, first, until=now() - timedelta(seconds=1))
    world.bring_back()
    second = arrive(world)
    assert ids(world) == [second]
    assert world.log(USER)[-1].collapsed == 2
    assert world.violations() == []


def test_a_broadcast_collapses_in_every_inbox(world: World) -> None:
    users = [f"user {number:03}" for number in range(120)]
    first = world.send(*users, **BUILD)
    world.chunk(first, size=200)
    world.read(users[5], first)
    second = world.send(*users, **BUILD)
    world.chunk(second, size=50)
    world.chunk(second, size=200)
    for user in users:
        assert ids(world, user=user) == [second]
        assert world.log(user)[-1].collapsed == (1 if user == users[5] else 2)
    assert world.violations() == []


def test_a_batch_without_keys_pays_nothing(world: World) -> None:
    """Neither a statement nor a column more: nothing of part two is asked for or written."""
    asked: list[str] = []
    arrive(world)

    def listen(_c: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    for number in range(3):
        world.send(f"plain {number}")
    sa.event.listen(world.database.engine, "before_cursor_execute", listen)
    try:
        world.database.run(lambda connection: dispatch.dispatch_batch(connection, limit=9, now=world.tick()))
    finally:
        sa.event.remove(world.database.engine, "before_cursor_execute", listen)
    words = ("hidden", "collapsed", "kept_unread", "until", "returned_at")
    assert not [statement for statement in asked if any(word in statement for word in words)]
    own = [one for one in asked if not one.startswith(("BEGIN", "SAVEPOINT", "RELEASE"))]
    assert len(own) == 4, own  # take, advance, deliver, finish
