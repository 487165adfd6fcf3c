"""A sender stops a notification, or changes what it says: the row at once, then the logs of those who have it."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from models.store import dispatch, due, log, pages, snapshots
from models.tables import changes, deliveries, notifications, owed
from notifier.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from notifier.core.log import ARCHIVED, UPDATED, Status
from notifier.core.states import MOVES, STATES, WITHDRAWN, Move, after, before
from notifier.outbox import clock
from tests.harness.world import START, World, alert

n = notifications.c
BODY = "Order Shipped"
AT = timedelta(hours=1)


def shown(world: World, user: str) -> str:
    """All that can be read for a user, as text."""
    with world.database.read() as connection:
        each = [pages.page(connection, user, status, 100, None)[0] for status in Status]
        near = snapshots.snapshot(connection, user, 0)
        return repr(
            [each, near, snapshots.snapshot(connection, user, None), log.entries(connection, user, 0)]
        )


def whys(world: World, user: str) -> list[tuple[int, str, Any]]:
    return [(entry.seq, entry.event, entry.data.get("why")) for entry in world.log(user)]


# ---------------------------------------------------------------------- the state machine


def test_the_moves_are_of_the_states_and_every_state_is_reached() -> None:
    assert {state for state, _ in MOVES} | set(MOVES.values()) == set(STATES)
    assert {move for _, move in MOVES} == set(Move)
    # What has ended is over: nothing leads out of it but to itself.
    assert all(MOVES[state, move] == state for state, move in MOVES if state in WITHDRAWN)
    assert before(Move.EXPIRE) == {"scheduled", "accepted", "dispatched"}
    assert before(Move.DUE) == {"scheduled"}
    assert after("expired", Move.CANCEL) is None


def in_state(world: World, state: str, reached: int) -> str:
    """A notification in a state, that `reached` of 150 recipients have, or its one."""
    many = [f"u{number}" for number in range(150)]
    later = {"deliver_at": clock_of(world) + AT} if state == "scheduled" else {}
    id = world.send(*many, **later) if reached or state == "dead" else world.send("u0", **later)
    if reached:
        world.chunk(id, reached)
    elif state == "dispatched":
        world.dispatch()
    if state == "dead":
        world.sql("UPDATE notifier_notifications SET state = 'dead', error = 'x' WHERE id = :id", id=id)
    elif state == "expired":
        world.expire(id)
    elif state in ("canceled", "retracted"):
        world.cancel(id)
    assert world.notification(id).state == state
    return id


def clock_of(world: World) -> Any:
    with world.database.read() as connection:
        return clock.present(connection)


@pytest.mark.parametrize(
    ("state", "reached", "then"),
    [
        ("scheduled", 0, "canceled"), ("accepted", 0, "canceled"), ("accepted", 100, "retracted"),
        ("dispatched", 150, "retracted"), ("dispatched", 0, "retracted"), ("dead", 0, "canceled"),
        ("dead", 100, "retracted"), ("canceled", 0, "canceled"), ("retracted", 100, "retracted"),
        ("expired", 0, None), ("expired", 100, None),
    ],
)  # fmt: skip
def test_what_a_cancel_makes_of_each_state(world: World, state: str, reached: int, then: str | None) -> None:
    id = in_state(world, state, reached)
    if then is None:
        with pytest.raises(Conflict, match="expired"):
            world.cancel(id)
        return
    first, again = world.cancel(id), world.cancel(id)
    assert (first.status, again.status) == (then, then)
    assert first.reached == (reached or int(state == "dispatched"))
    assert (first.recipients, first.in_flight) == (world.notification(id).recipients, 0)
    world.follow_up()
    assert world.dispatch() == []
    assert world.violations() == []
    assert not world.notification(id).untold


def test_only_its_sender_and_who_may_do_everything_can_stop_it(world: World) -> None:
    id = world.send("u")
    with pytest.raises(Forbidden):
        world.cancel(id, sender="another")
    assert world.cancel(id, sender="system").status == "canceled"
    with pytest.raises(NotFound):
        world.cancel("00000000-0000-7000-8000-000000000000")


# ---------------------------------------------------------------------- taken back is gone


def test_what_is_canceled_is_never_seen(world: World) -> None:
    id = world.send("u")
    world.cancel(id)
    assert world.dispatch() == []
    assert world.log("u") == []


def test_after_a_retraction_nothing_read_carries_the_body_and_then_the_log_says_so(world: World) -> None:
    id = world.send("u")
    world.dispatch()
    assert BODY in shown(world, "u")
    assert world.cancel(id).status == "retracted"
    assert BODY not in shown(world, "u")
    assert world.head("u") == (1, 1)  # the count follows the log
    assert whys(world, "u") == [(1, ARCHIVED, "retracted")]
    (message,) = world.follow_up()
    frame = json.loads(message.body)
    assert (frame["seq"], frame["event"], frame["unread"]) == (2, ARCHIVED, 0)
    assert frame["data"] == {"ids": [id], "why": "retracted"}
    assert world.head("u") == (2, 0)
    assert whys(world, "u") == [(1, ARCHIVED, "retracted"), (2, ARCHIVED, "retracted")]
    assert world.follow_up() == []
    assert world.violations() == []


def test_a_broadcast_stops_in_the_middle_and_is_taken_back(world: World) -> None:
    users = [f"u{number:03}" for number in range(250)]
    id = world.send(*users)
    world.chunk(id, 100)
    done = world.cancel(id)
    assert (done.status, done.recipients, done.reached, done.untold) == ("retracted", 250, 100, True)
    assert list(world.chunk(id, 100).entries) == []
    assert len(world.follow_up()) == 100
    assert world.count(deliveries) == 100
    assert world.violations() == []


def test_what_is_owed_to_a_locked_inbox_is_not_given_any_more(world: World) -> None:
    id = world.send("u1", "u2")
    with world.database.write() as connection:
        connection.execute(sa.insert(owed), {"user_id": "u2", "number": world.notification(id).number})
    world.sql("UPDATE notifier_notifications SET position = 1 WHERE id = :id", id=id)
    world.cancel(id)
    assert world.dispatch_owed() == []
    world.follow_up()
    assert world.count(owed) == 0
    assert world.violations() == []


def test_a_retracted_one_that_was_read_counts_as_read_and_as_nothing_else(world: World) -> None:
    kept, gone = world.arrive("u", 2)
    world.read("u", gone)
    read_at = world.delivery("u", gone).read_at
    world.cancel(gone)
    world.follow_up()
    world.read_through("u", 10)
    assert world.delivery("u", gone).read_at == read_at
    assert [item.id for item in world.page("u")] == [kept]
    assert world.violations() == []


def test_expired_is_gone_too_and_is_not_read(world: World) -> None:
    id = world.send("u", expires_in=60)
    world.dispatch()
    world.expire(id)
    assert BODY not in shown(world, "u")
    assert len(world.follow_up()) == 1
    assert world.head("u") == (2, 0)
    assert whys(world, "u")[-1] == (2, ARCHIVED, "expired")
    row = world.delivery("u", id)
    assert (row.read_at, row.delivered_at) == (None, None)
    with pytest.raises(Conflict):
        world.cancel(id)
    assert world.violations() == []


def test_what_was_purged_before_its_end_leaves_nothing_behind(world: World) -> None:
    canceled = world.send("u")
    world.cancel(canceled)
    gone = world.send("u")
    world.dispatch()
    world.cancel(gone)
    world.follow_up()
    world.sql(
        "UPDATE notifier_changes SET at = :at", at=START.isoformat(" ").removesuffix("+00:00") + ".000000"
    ) if world.database.engine.dialect.name == "sqlite" else world.sql(
        "UPDATE notifier_changes SET at = :at", at=START
    )
    world.purge(START + timedelta(days=1))
    from usecases import retention

    retention.step(world.database, before=START + timedelta(days=1), after="", now=world.tick())
    assert world.count(deliveries) == 0
    assert world.violations() == []


def test_many_that_end_in_one_moment_are_one_entry_for_each_user(world: World) -> None:
    ids = [world.send("u1", expires_in=60) for _ in range(3)] + [world.send("u1", "u2", expires_in=60)]
    kept, taken_back = world.send("u1"), world.send("u1")
    world.dispatch()
    world.read("u1", ids[0])
    world.expire(*ids)
    world.cancel(taken_back)
    told = {(message.user_id, message.seq) for message in world.follow_up()}
    assert told == {("u1", 8), ("u1", 9), ("u2", 2)}
    first, second = world.log("u1", 7)
    assert (first.data, first.unread) == ({"ids": ids, "why": "expired"}, 2)
    assert (second.data, second.unread) == ({"ids": [taken_back], "why": "retracted"}, 1)
    assert [item.id for item in world.page("u1")] == [kept]
    assert world.follow_up() == []
    assert world.violations() == []


# ---------------------------------------------------------------------- updates


def test_an_update_is_told_to_those_who_had_it_and_read_by_all(world: World) -> None:
    id = world.send("u", title="before")
    world.dispatch()
    done = world.update(id, alert("after"))
    assert (done.version, done.untold) == (2, True)
    (message,) = world.follow_up()
    frame = json.loads(message.body)
    assert (frame["event"], frame["unread"]) == (UPDATED, 1)
    assert frame["data"] == {"ids": [id], "version": 2, "data": alert("after")}
    with world.database.read() as connection:
        assert connection.scalar(sa.select(changes.c.data)) == {"ids": [id], "version": 2}
    assert world.log("u")[1].data == frame["data"]
    (item,) = world.page("u")
    assert (item.data, item.version, item.read_at) == (alert("after"), 2, None)
    assert "before" not in shown(world, "u")
    assert world.head("u") == (2, 1)
    assert world.violations() == []
    world.cancel(id)
    assert "after" not in shown(world, "u")
    assert world.log("u")[1].data == {"ids": [id], "version": 2, "data": None}


def test_an_update_before_the_dispatch_is_simply_what_arrives(world: World) -> None:
    id = world.send("u", title="before")
    assert not world.update(id, alert("after")).untold
    ((_, entry),) = world.dispatch()
    assert (entry.data, entry.version) == (alert("after"), 2)
    assert world.follow_up() == []
    assert world.delivery("u", id).version == 2
    assert world.violations() == []


def test_in_the_middle_of_a_broadcast_only_those_who_had_it_are_told(world: World) -> None:
    id = world.send(*(f"u{number:03}" for number in range(150)))
    world.chunk(id, 100)
    world.update(id, alert("after"))
    assert {entry.data["title"] for _, entry in world.chunk(id, 100).entries} == {"after"}
    assert len(world.follow_up()) == 100
    assert world.update(id, alert("again")).version == 3
    assert len(world.follow_up()) == 150
    assert world.violations() == []


def test_what_an_update_refuses(world: World) -> None:
    id = world.send("u")
    with pytest.raises(Conflict, match="its version is 1"):
        world.update(id, alert(), version=2)
    with pytest.raises(InvalidInput):
        world.update(id, {"title": ""})
    assert world.update(id, alert(), version=1).version == 2
    with pytest.raises(InvalidInput, match="not an inbox entry"):
        world.update(world.badge("u", "tasks", 1), {"type": "tasks", "count": 2})
    world.cancel(id)
    with pytest.raises(Conflict, match="canceled"):
        world.update(id, alert())
    with pytest.raises(NotFound):
        world.update("00000000-0000-7000-8000-000000000000", alert())


# ---------------------------------------------------------------------- at the same moment


def test_cancel_against_dispatch_every_answer_is_true(world: World) -> None:
    import os

    rounds = int(os.environ.get("NOTIFIER_CANCEL_ROUNDS", "60"))
    seen = {"canceled": 0, "retracted": 0}
    for number in range(rounds):
        user = f"u{number}"
        id = world.send(user)
        barrier = threading.Barrier(2)
        answers: list[str] = []

        def stop(id: str = id, barrier: threading.Barrier = barrier, answers: list[str] = answers) -> None:
            barrier.wait()
            answers.append(world.cancel(id).status)

        def go(barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            world.database.run(partial(dispatch.dispatch_batch, limit=10, now=world.now))

        threads = [threading.Thread(target=stop), threading.Thread(target=go)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (answer,) = answers
        seen[answer] += 1
        assert len(world.log(user)) == (1 if answer == "retracted" else 0), answer
        assert world.cancel(id).status == answer
        assert BODY not in shown(world, user)
    world.follow_up()
    assert sum(seen.values()) == rounds
    assert world.violations() == []


def test_two_that_tell_and_one_that_dispatches_write_each_entry_once(world: World) -> None:
    users = [f"u{number:03}" for number in range(200)]
    ids = [world.send(*users) for _ in range(2)]
    for id in ids:
        world.chunk(id, 200)
        world.cancel(id)
    stop = threading.Event()

    def tell() -> None:
        world.follow_up()

    def more() -> None:
        while not stop.is_set():
            for user in users[::20]:
                world.send(user)
            with suppress(Exception):
                world.dispatch()

    threads = [threading.Thread(target=tell) for _ in range(2)]
    noise = threading.Thread(target=more)
    noise.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    noise.join()
    while any(world.notification(id).untold for id in ids):
        world.follow_up()
    world.dispatch()
    archived = sa.select(sa.func.count()).select_from(changes).where(changes.c.event == ARCHIVED)
    assert world.one(archived)[0] == 400
    assert world.violations() == []


def test_scheduled_ones_cost_a_dispatch_nothing(world: World) -> None:
    later = clock_of(world) + AT
    world.send("u", deliver_at=later)
    with world.database.read() as connection:
        assert dispatch.due_numbers(connection, limit=10, now=world.now) == []
        assert due.due(connection).due > 0  # type: ignore[operator]
