"""The status of a notification, the dead ones, and the waiting ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.store import devices, failures, status
from models.store.delivered import Ack
from models.store.status import Backlog
from notifier.core.effects import Acked
from tests.harness.world import World, alert

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


def found(world: World, id: str) -> status.Status:
    with world.database.read() as connection:
        answer = status.status(connection, id)
    assert answer is not None
    return answer


def counts(world: World, id: str) -> tuple[str, int, int, int]:
    answer = found(world, id)
    return answer.status, answer.recipients, answer.delivered, answer.read


def ack(world: World, user: str, through: int) -> None:
    moment = world.tick()
    world.database.run(lambda c: devices.flush(c, [Ack(user, None, Acked(1, 0, 0, through))], [], now=moment))


def kill(world: World, id: str) -> None:
    number = world.notification(id).number
    moment = world.tick()
    world.database.run(
        lambda c: failures.postpone(c, number, "broken", now=moment, delay=timedelta(0), max_attempts=1)
    )


def test_an_unknown_one_has_no_status(world: World) -> None:
    with world.database.read() as connection:
        assert status.status(connection, UNKNOWN) is None


def test_it_has_what_was_accepted_and_when(world: World) -> None:
    id = world.accept("u1", "u2", data=alert("Hello")).id
    answer = found(world, id)
    assert (answer.id, answer.event, answer.data) == (id, "alert", alert("Hello"))
    assert answer.accepted_at == world.now
    assert counts(world, id) == ("accepted", 2, 0, 0)


def test_it_counts_who_got_it_and_who_read_it(world: World) -> None:
    id = world.send("u1", "u2", "u3", "u4")
    world.dispatch()
    assert counts(world, id) == ("dispatched", 4, 0, 0)
    ack(world, "u1", 1)
    assert counts(world, id) == ("dispatched", 4, 1, 0)
    world.read("u1", id)
    world.read("u2", id)
    assert counts(world, id) == ("dispatched", 4, 2, 2)
    world.read_through("u3", 1)
    assert counts(world, id) == ("dispatched", 4, 3, 3)
    world.archive("u4", id)
    assert counts(world, id) == ("dispatched", 4, 4, 4)


def test_what_is_marked_unread_is_no_longer_read_but_stays_delivered(world: World) -> None:
    id = world.send("u1", "u2")
    world.dispatch()
    world.read("u1", id)
    world.read_through("u2", 1)
    world.unread("u1", id)
    world.unread("u2", id)
    assert counts(world, id) == ("dispatched", 2, 2, 0)


def test_a_badge_is_delivered_by_an_ack_and_never_read(world: World) -> None:
    id = world.badge("u1", "tasks", 1)
    world.dispatch()
    world.read_through("u1", 1)
    assert counts(world, id) == ("dispatched", 1, 0, 0)
    ack(world, "u1", 1)
    assert counts(world, id) == ("dispatched", 1, 1, 0)


def test_a_dead_one_says_so_with_its_error(world: World) -> None:
    first, second = world.send("u1"), world.send("u1")
    kill(world, second)
    kill(world, first)
    assert counts(world, first)[0] == "dead"
    with world.database.read() as connection:
        dead = status.dead(connection)
    assert [(row.id, row.error, row.attempts) for row in dead] == [
        (first, "broken", 1),
        (second, "broken", 1),
    ]


@pytest.mark.parametrize("state", ["accepted", "dispatched", "unknown"])
def test_only_a_dead_one_can_be_replayed_or_dropped(world: World, state: str) -> None:
    id = UNKNOWN if state == "unknown" else world.send("u1")
    if state == "dispatched":
        world.dispatch()
    assert not world.database.run(lambda c: status.replay(c, id))
    assert not world.database.run(lambda c: status.drop(c, id))


def test_a_dead_bulk_one_that_reached_some_can_be_replayed_but_not_dropped(world: World) -> None:
    id = world.send(*(f"u{n:03}" for n in range(150)))
    world.chunk(id, 100)
    moment = world.tick()
    world.database.run(
        lambda c: failures.postpone(c, id, "broken", now=moment, delay=timedelta(0), max_attempts=1)
    )
    assert not world.database.run(lambda c: status.drop(c, id))
    assert world.database.run(lambda c: status.replay(c, id))
    world.chunk(id, 100)
    assert counts(world, id) == ("dispatched", 150, 0, 0)
    assert world.violations() == []


def test_the_backlog_counts_what_waits_and_what_is_dead(world: World) -> None:
    def backlog() -> Backlog:
        with world.database.read() as connection:
            return status.backlog(connection)

    assert backlog() == Backlog(0, 0, None, 0, 0.0)
    oldest = world.send("u1")
    moment = world.now
    dead = world.send("u1")
    world.send("u1")
    kill(world, dead)
    assert backlog() == Backlog(2, 1, moment, 0, 0.0)
    world.dispatch()
    assert backlog() == Backlog(0, 1, None, 0, 0.0)
    assert found(world, oldest).status == "dispatched"
