"""A snoozed entry is out of the inbox and its count, and comes back at its time as a new arrival."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from models.store.delivered import Ack, deliver
from notifier.broker.message import Message
from notifier.core.effects import Acked
from notifier.core.errors import InvalidInput
from notifier.core.log import ARCHIVED, MAX_SNOOZE, MOVED, SNOOZE, Status, Why
from notifier.outbox.types import milliseconds, now
from tests.harness.world import World
from usecases.bring_back import bring_back
from usecases.change_entries import change_entries
from worker.returns import INTERVAL, Returns

USER = "u1"
HOUR = timedelta(hours=1)


class Wire:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish(self, messages: object) -> None:
        self.messages += messages  # type: ignore[operator]


def ids(world: World, status: Status = Status.ALL) -> list[str]:
    return [item.id for item in world.page(USER, status)]


def past() -> datetime:
    return now() - timedelta(seconds=1)


@pytest.mark.parametrize("read", [False, True])
def test_it_leaves_the_inbox_and_the_count_and_is_listed_by_itself(world: World, read: bool) -> None:
    first, second = world.arrive(USER, 2)
    if read:
        world.read_through(USER, 1)
    seq = world.head(USER)[0]
    until = now() + HOUR
    changed = world.snooze(USER, first, until=until)
    (entry,) = changed.entries
    assert (entry.event, entry.data) == (ARCHIVED, {"ids": [first], "why": "snoozed"})
    assert (changed.seq, changed.unread) == world.head(USER) == (seq + 1, 1)
    assert [ids(world, status) for status in Status] == [[second], [second], [], [], [first]]
    (item,) = world.page(USER, Status.SNOOZED)
    assert (item.status, item.snoozed_until, item.read_at is None) == (
        Status.SNOOZED, milliseconds(until), not read,
    )  # fmt: skip
    assert [item.id for item in world.snapshot(USER).window or ()] == [second]
    assert world.violations() == []


def test_it_counts_as_delivered(world: World) -> None:
    (id,) = world.arrive(USER)
    world.snooze(USER, id)
    delivered = world.delivery(USER, id).delivered_at
    assert delivered is not None
    acks = [Ack(USER, None, Acked(1, 0, 0, 2))]
    world.database.run(lambda connection: deliver(connection, acks, now=world.tick()))
    assert world.delivery(USER, id).delivered_at == delivered


def test_a_watermark_passes_it_over(world: World) -> None:
    first, second = world.arrive(USER, 2)
    world.snooze(USER, first)
    changed = world.read_through(USER, 3)
    assert (changed.unread, len(changed.entries)) == (0, 1)
    assert world.page(USER, Status.SNOOZED)[0].read_at is None
    assert not world.read_through(USER, 3).entries
    assert not world.read(USER, first).entries
    assert world.item(USER, second).read_at
    assert world.violations() == []


def test_at_its_time_its_arrival_moves_to_the_end_of_the_log_unread(world: World) -> None:
    first, second, third = world.arrive(USER, 3)
    world.read_through(USER, 3)
    world.snooze(USER, first, until=past())
    world.snooze(USER, second)
    ((user, entry),) = world.bring_back()
    assert (user, entry.seq, entry.id, entry.unread, entry.returned) == (USER, 7, first, 1, True)
    assert world.log(USER)[-1] == entry
    assert world.head(USER) == (7, 1)
    told = [(e.seq, e.event, e.data.get("ids"), e.unread) for e in world.log(USER)][:3]
    assert told[0] == (1, MOVED, [first], 1)
    assert [seq for seq, *_ in told] == [1, 2, 3]
    assert ids(world) == [first, third]
    assert ids(world, Status.UNREAD) == [first]
    item = world.item(USER, first)
    assert (item.returned, item.snoozed_until, item.read_at) == (True, None, None)
    assert world.bring_back() == []
    assert world.violations() == []


def test_nothing_comes_back_early_and_of_many_the_earlier_time_comes_first(world: World) -> None:
    many = world.arrive(USER, 4)
    for number, id in enumerate(many):
        world.snooze(USER, id, until=now() - timedelta(seconds=number + 1))
    world.snooze(USER, many[2], until=now() + HOUR)  # given another time
    assert [entry.id for _, entry in world.bring_back()] == [many[3], many[1], many[0]]
    assert ids(world, Status.SNOOZED) == [many[2]]


def test_unsnooze_does_it_at_once(world: World) -> None:
    first, second, third = world.arrive(USER, 3)
    world.snooze(USER, first, second)
    changed = world.unsnooze(USER, second, first, third)
    assert [(e.seq, e.id, e.unread, e.returned) for e in changed.entries] == [
        (5, first, 2, True), (6, second, 3, True),
    ]  # fmt: skip
    assert (changed.seq, changed.unread) == world.head(USER) == (6, 3)
    assert not world.unsnooze(USER, first).entries
    assert world.violations() == []


def test_a_snoozed_one_may_be_archived_and_brought_back_from_there(world: World) -> None:
    (id,) = world.arrive(USER)
    world.snooze(USER, id)
    assert world.archive(USER, id).entries[0].data == {"ids": [id], "why": "user"}
    assert ids(world, Status.ARCHIVED) == [id]
    assert world.bring_back() == []
    assert world.unread(USER, id).unread == 1
    assert world.violations() == []


def test_what_returned_can_be_snoozed_again(world: World) -> None:
    (id,) = world.arrive(USER)
    for _ in range(3):
        world.snooze(USER, id, until=past())
        ((_, entry),) = world.bring_back()
    assert (entry.seq, [e.event for e in world.log(USER)]) == (
        7, [MOVED, ARCHIVED, MOVED, ARCHIVED, MOVED, ARCHIVED, "alert"],
    )  # fmt: skip
    assert world.violations() == []


@pytest.mark.parametrize("why", [Why.RETRACTED, Why.EXPIRED])
def test_retraction_and_expiry_beat_it(world: World, why: Why) -> None:
    id = world.send(USER, "u2")
    world.dispatch()
    world.snooze(USER, id, until=past())
    world.withdraw(id, "u2", why=why)  # the row is marked, this user's log is not told yet
    assert world.bring_back() == []
    assert not world.unsnooze(USER, id).entries
    assert ids(world, Status.SNOOZED) == []
    ((_, entry),) = world.withdraw(id, USER, why=why)
    assert (entry.data["why"], entry.unread) == (why, 0)
    assert world.bring_back() == []
    assert world.violations() == []


def test_a_purge_keeps_it_until_it_is_back_and_as_long_again(world: World) -> None:
    world.now = now() - timedelta(days=40)
    first, _ = world.arrive(USER, 2)
    world.snooze(USER, first, until=past())
    world.now = now()
    world.purge(now() - timedelta(days=30))
    assert ids(world, Status.SNOOZED) == [first]
    assert len(world.bring_back()) == 1
    world.purge(now() - timedelta(days=30))
    assert ids(world) == [first]
    assert world.violations() == []


def test_the_use_case_tells_every_socket_and_refuses_a_time_too_far_ahead(world: World) -> None:
    (id,) = world.arrive(USER)
    wire = Wire()
    too_far = milliseconds(now() + MAX_SNOOZE + HOUR)
    with pytest.raises(InvalidInput) as caught:
        change_entries(world.database, wire, USER, SNOOZE, ids=[id], until=too_far)
    assert caught.value.problems[0]["loc"] == ["until"]
    change_entries(world.database, wire, USER, SNOOZE, ids=[id], until=milliseconds(past()))
    assert bring_back(world.database, wire)
    assert not bring_back(world.database, wire)
    assert [message.seq for message in wire.messages] == [2, 3]


def test_the_worker_s_chore_wakes_up_for_the_next_one(world: World) -> None:
    chore = Returns(world.database, Wire())
    assert chore() == INTERVAL
    first, second = world.arrive(USER, 2)
    world.snooze(USER, first, until=now() + timedelta(seconds=0.5))
    assert 0 < chore() < INTERVAL
    world.snooze(USER, second, until=past())
    assert chore() == INTERVAL
    assert ids(world) == [second]
