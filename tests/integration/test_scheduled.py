"""Later, and not at all: scheduled notifications and those that expire before they are dispatched."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from models.store import dispatch, due, expiry, special
from models.tables import deliveries, notifications
from notifier.outbox import clock
from tests.harness.world import Published, World, settings
from worker.dispatcher import Dispatcher
from worker.due import INTERVAL, DueChore

n = notifications.c


def soon(world: World, seconds: float) -> datetime:
    """So far from the database's present."""
    with world.database.read() as connection:
        return clock.present(connection) + timedelta(seconds=seconds)


def let_be_due(world: World, *ids: str, seconds: float = 1.0) -> None:
    """As if the time of these had come `seconds` ago."""
    with world.database.write() as connection:
        past = clock.present(connection) - timedelta(seconds=seconds)
        connection.execute(sa.update(notifications).where(n.id.in_(ids)).values(deliver_at=past))


def take_up(world: World, limit: int = 100) -> list[str]:
    return [id for id, _ in world.database.run(partial(due.take_up, limit=limit))]


def states(world: World, *ids: str) -> list[str]:
    return [world.notification(id).state for id in ids]


def test_it_waits_in_its_own_state_until_it_is_due(world: World) -> None:
    given = world.accept("u", deliver_at=soon(world, 3600), key="k")
    assert given.status == "scheduled"
    assert world.dispatch() == []
    assert take_up(world) == []
    assert states(world, given.id) == ["scheduled"]
    let_be_due(world, given.id)
    again = world.accept(
        "u", deliver_at=world.notification(given.id).deliver_at + timedelta(hours=1), key="other"
    )
    assert again.status == "scheduled"
    assert take_up(world) == [given.id]
    assert [entry.id for _, entry in world.dispatch()] == [given.id]
    assert states(world, given.id, again.id) == ["dispatched", "scheduled"]
    assert world.violations() == []


def test_a_time_that_has_passed_is_at_once(world: World) -> None:
    given = world.accept("u", deliver_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert given.status == "accepted"
    assert world.notification(given.id).deliver_at is None
    assert [entry.id for _, entry in world.dispatch()] == [given.id]


def test_the_first_answer_is_given_again_after_it_was_sent(world: World) -> None:
    at = soon(world, 3600)
    first = world.accept("u", deliver_at=at, key="k")
    let_be_due(world, first.id)
    take_up(world)
    world.dispatch()
    again = world.accept("u", deliver_at=at, key="k")
    assert (again.status, again.id, again.replayed) == ("scheduled", first.id, True)


def test_they_go_out_in_the_order_of_their_times_and_behind_what_was_accepted_before(world: World) -> None:
    late, early = (world.send("u", deliver_at=soon(world, 3600)) for _ in range(2))
    now = world.send("u")
    let_be_due(world, late, seconds=1)
    let_be_due(world, early, seconds=2)
    assert take_up(world) == [early, late]
    after = world.send("u")
    assert [entry.id for _, entry in world.dispatch()] == [now, early, late, after]
    entry = world.log("u")[1]
    assert entry.timestamp == round(world.notification(early).deliver_at.timestamp() * 1000)
    assert world.violations() == []


def test_two_workers_share_what_is_due(world: World) -> None:
    ids = [world.send(f"u{number}", deliver_at=soon(world, 3600)) for number in range(40)]
    let_be_due(world, *ids)
    taken: list[str] = []

    def work() -> None:
        while found := take_up(world, 7):
            taken.extend(found)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken += take_up(world)
    assert sorted(taken) == sorted(ids)
    assert len(world.dispatch()) == 40


def test_a_broadcast_can_be_scheduled(world: World) -> None:
    users = [f"u{number}" for number in range(150)]
    id = world.send(*users, deliver_at=soon(world, 3600))
    assert not world.database.run(partial(dispatch.waiting, now=world.now)).bulk
    let_be_due(world, id)
    assert world.database.run(partial(due.take_up, limit=5)) == [(id, True)]
    assert len(world.chunk(id, 1000).entries) == 150
    assert world.violations() == []


def test_what_has_expired_before_its_dispatch_is_never_shown(world: World) -> None:
    gone = world.send("u", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    stays = world.send("u", expires_in=3600)
    plain = world.send("u")
    assert [entry.id for _, entry in world.dispatch()] == [stays, plain]
    assert states(world, gone) == ["expired"]
    assert world.violations() == []
    assert [item.id for item in world.page("u")] == [plain, stays]


def test_a_batch_of_nothing_but_expired_ones_does_not_stop_the_next(world: World) -> None:
    for _ in range(4):
        world.send("u", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    last = world.send("u")
    done = world.database.run(partial(dispatch.dispatch_batch, limit=4, now=world.now))
    assert (len(done.expired), done.more, len(done.entries)) == (4, True, 0)
    assert [entry.id for _, entry in world.dispatch()] == [last]


def test_it_expires_by_itself_while_it_is_scheduled_or_waits(world: World) -> None:
    at = soon(world, 3600)
    ids = [world.send("u", deliver_at=at, expires_in=60), world.send("u", expires_in=60), world.send("u")]
    with world.database.write() as connection:
        past = clock.present(connection) - timedelta(seconds=1)
        connection.execute(sa.update(notifications).where(n.expires_at.is_not(None)).values(expires_at=past))
    assert world.database.run(partial(expiry.expire, limit=10)) == 2
    assert world.database.run(partial(expiry.expire, limit=10)) == 0
    assert states(world, *ids) == ["expired", "expired", "accepted"]
    assert take_up(world) == []
    assert world.violations() == []


def test_a_broadcast_that_expires_under_way_reaches_nobody_more(world: World) -> None:
    users = [f"u{number}" for number in range(150)]
    id = world.send(*users, expires_in=3600)
    assert len(world.chunk(id, 100).entries) == 100
    with world.database.write() as connection:
        past = clock.present(connection) - timedelta(seconds=1)
        connection.execute(sa.update(notifications).values(expires_at=past))
    assert world.chunk(id, 100).expired == [id]
    assert world.count(deliveries) == 100
    assert world.notification(id).untold
    assert world.violations() == []


def statements_of(world: World, work: Callable[[], object]) -> list[str]:
    seen: list[str] = []

    def listen(_c: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    sa.event.listen(world.database.engine, "before_cursor_execute", listen)
    try:
        work()
    finally:
        sa.event.remove(world.database.engine, "before_cursor_execute", listen)
    return seen


def test_a_plain_alert_pays_nothing_for_all_this(world: World) -> None:
    def one() -> None:
        world.send("u")
        world.dispatch()

    alone = statements_of(world, one)
    world.send("v", deliver_at=soon(world, 3600), collapse_key="k")
    world.send("v", expires_in=3600, category="general", collapse_key="k")
    world.dispatch()
    beside = statements_of(world, one)
    assert beside == alone
    (stored,) = [s for s in alone if s.startswith("INSERT INTO notifier_notifications")]
    assert "deliver_at" not in stored
    # What a dispatch reads of a row: the columns of before, no further one.
    taken = next(s for s in alone if "FROM notifier_notifications" in s and "LIMIT" in s)
    if world.database.engine.dialect.name == "postgresql":  # one statement for all (`models.store.at_once`)
        (columns,) = re.findall(r"SELECT (n\.number, .*)\n +FROM line", taken)
        assert columns == "n.number, n.id, n.event, n.data, n.inbox, n.sender, n.recipient, n.accepted_at"
    else:
        assert taken.split("FROM notifier_notifications")[0].count("AS inbox") == 1
    assert len(special.TAKEN) == 12


class Drains:
    """A dispatcher that counts."""

    drained = 0

    def drain(self) -> None:
        self.drained += 1


def test_the_chore_sleeps_until_the_next_time_and_a_second_at_most(world: World) -> None:
    woken: list[str] = []
    dispatcher = Drains()
    chore = DueChore(dispatcher, world.database, woken.append)  # type: ignore[arg-type]
    assert chore() == INTERVAL
    one = world.send("u", deliver_at=soon(world, 3600))
    many = world.send(*(f"u{number}" for number in range(101)), deliver_at=soon(world, 3600))
    assert chore() == INTERVAL
    with world.database.write() as connection:
        at = clock.present(connection) + timedelta(seconds=0.9)
        connection.execute(sa.update(notifications).values(deliver_at=at))
    assert chore() < INTERVAL
    let_be_due(world, one, many)
    chore()
    assert (dispatcher.drained, woken) == (1, [many])
    assert states(world, one, many) == ["accepted", "accepted"]


def test_a_broadcast_that_is_taken_back_does_not_hold_up_what_is_due(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs are told in pieces, and what becomes due meanwhile goes out between two of them."""
    monkeypatch.setattr("usecases.follow_up.CHUNK", 20)
    monkeypatch.setattr("worker.due.TELL_FOR", 0.0)
    monkeypatch.setattr("worker.dispatcher.TELL_FOR", 0.0)
    many = world.send(*(f"u{number:03}" for number in range(120)))
    world.chunk(many, 120)
    published = Published()
    dispatcher = Dispatcher(world.database, published, settings())
    chore = DueChore(dispatcher, world.database, lambda _id: None)
    world.cancel(many)
    assert chore() == 0.0
    assert len(published.messages) == 20
    later = world.send("v", deliver_at=soon(world, 3600))
    let_be_due(world, later)
    assert chore() == 0.0
    assert len(published.messages) == 41
    assert states(world, later) == ["dispatched"]
    single = world.send("w")
    assert dispatcher.chunks(0.0), "a chunk's task ends too, for single ones"
    assert states(world, single) == ["accepted"]
    assert len(published.messages) == 61
    runs = 0
    while world.notification(many).untold:
        chore()
        runs += 1
    assert (runs, len(published.messages)) == (4, 121)
    assert chore() > 0
    assert world.violations() == []
