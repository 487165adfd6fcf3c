"""One user's locked inbox delays that user alone: all others get theirs at once, and no user's order breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from models.tables import owed
from notifier.broker.message import Message
from notifier.core.errors import DatabaseLocked
from notifier.core.log import READ
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from tests.harness.waiting import crowding, until
from tests.harness.world import World, real_time_world, settings
from usecases import change_entries
from worker.dispatcher import Dispatcher

SOON = 1.0  # seconds; the longest delay of other users


class Heard:
    """A publisher that notes when it got each user's events."""

    def __init__(self) -> None:
        self.at: dict[str, list[float]] = {}

    def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.at.setdefault(message.user_id, []).append(time.monotonic())


@pytest.fixture
def world(postgres_database: Database) -> World:
    return real_time_world(postgres_database)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def worker(world: World, heard: Heard) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(world.database, heard, settings(), clock=now)
    yield dispatcher
    dispatcher._steps.published.flush()


@contextmanager
def transaction(world: World, statement: str, **values: Any) -> Iterator[None]:
    """Hold an open transaction in which a statement was run."""
    engine = sa.create_engine(world.database.engine.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement), values)
        yield
        connection.rollback()


def locked(world: World, *users: str) -> Any:
    statement = "SELECT 1 FROM notifier_inboxes WHERE user_id = ANY(:users) FOR UPDATE"
    return transaction(world, statement, users=list(users))


def arrive(world: World, *users: str) -> None:
    """Give users an inbox."""
    for user in users:
        world.send(user)
    world.dispatch()


def took(work: Any, *arguments: Any) -> float:
    began = time.monotonic()
    work(*arguments)
    return time.monotonic() - began


@pytest.mark.alone
def test_two_hundred_alerts_for_a_locked_user_delay_nobody(
    world: World, worker: Dispatcher, heard: Heard
) -> None:
    arrive(world, "locked", "u1", "u2")
    late = [world.send("locked") for _ in range(450)]
    prompt = [world.send(user) for _ in range(3) for user in ("u1", "u2")]
    with locked(world, "locked"):
        began = time.monotonic()
        worker.drain()
        assert max(heard.at["u1"] + heard.at["u2"]) - began < SOON * crowding()
        assert all(world.notification(id).state == "dispatched" for id in prompt)
        rows = [world.notification(id) for id in late]
        assert {(row.state, row.attempts, row.next_attempt_at) for row in rows} == {("accepted", 0, None)}
        for _ in range(5):
            began, _ = time.monotonic(), world.send("u1")
            worker.drain()
            assert heard.at["u1"][-1] - began < SOON * crowding()
    until(lambda: worker.drain() == 0 and world.head("locked")[0] == 451, 5, "the locked user's come too")
    assert [entry.id for entry in world.log("locked")][1:] == late
    assert world.violations() == []


def test_a_short_lock_is_waited_for_by_the_drain_itself(world: World, worker: Dispatcher) -> None:
    arrive(world, "u1")
    world.send("u1")
    free = threading.Event()

    def hold() -> None:
        with locked(world, "u1"):
            holding.set()
            free.wait(5)

    holding, thread = threading.Event(), threading.Thread(target=hold)
    thread.start()
    assert holding.wait(5)
    threading.Timer(0.05, free.set).start()
    worker.drain()
    thread.join()
    assert world.head("u1")[0] == 2, "without a sweep"


@pytest.mark.alone
def test_what_a_broadcast_owes_is_dispatched_before_newer_rows(
    world: World, worker: Dispatcher, heard: Heard
) -> None:
    users = [f"u{number:03}" for number in range(150)]
    arrive(world, *users)
    busy = ["u000", "u099", "u149"]
    with locked(world, *busy):
        bulk = world.send(*users)
        some = world.send("u000", "u001")
        single = world.send("u099")
        began = time.monotonic()
        worker.chunks(60)
        assert heard.at["u001"][0] - began < SOON * crowding()
        worker.drain()
        row = world.notification(bulk)
        assert (row.state, row.position, row.reached) == ("accepted", 150, 147)
        assert world.count(owed) == 4
        assert world.notification(some).reached == 1
        assert world.violations() == []
        assert world.head("u001")[0] == 3
    until(lambda: worker.drain() == 0 and world.notification(bulk).state == "dispatched", 5, "all have it")
    worker.drain()
    assert world.count(owed) == 0
    assert world.notification(bulk).audience is None
    assert [entry.id for entry in world.log("u000")][1:] == [bulk, some]
    assert [entry.id for entry in world.log("u099")][1:] == [bulk, single]
    assert world.violations() == []


def test_another_worker_dispatches_what_is_owed_after_a_crash(
    world: World, worker: Dispatcher, heard: Heard
) -> None:
    arrive(world, "u1", "u2")
    with locked(world, "u1"):
        id = world.send("u1", "u2")
        worker.drain()
    later = world.send("u1")
    other = Dispatcher(world.database, heard, settings(), clock=now)
    other.drain()
    other.dispatch_owed()
    other.drain()
    other._steps.published.flush()
    assert [entry.id for entry in world.log("u1")][1:] == [id, later]
    assert world.violations() == []


def test_nothing_waits_for_a_dead_notification(world: World, worker: Dispatcher) -> None:
    arrive(world, "u1", "u2")
    with locked(world, "u1"):
        id = world.send("u1", "u2")
        worker.drain()
    world.sql("UPDATE notifier_notifications SET state = 'dead' WHERE id = :id", id=id)
    later = world.send("u1")
    until(lambda: worker.drain() == 0 and world.notification(later).state == "dispatched", 5, "it goes out")
    assert [entry.id for entry in world.log("u1")][1:] == [later]


@pytest.mark.alone
@pytest.mark.parametrize("how_many", [1, 200])
def test_an_inbox_that_another_transaction_creates_delays_nobody(
    world: World, worker: Dispatcher, heard: Heard, how_many: int
) -> None:
    made = "INSERT INTO notifier_inboxes (user_id) VALUES ('u100')"
    ids = {
        f"u{number}": world.send(f"u{number}")
        for number in range(101 - how_many, 101 if how_many == 1 else 200)
    }
    ids["u100"] = ids.get("u100") or world.send("u100")
    with transaction(world, made):
        began = time.monotonic()
        worker.drain()
        assert (
            max((at for some in heard.at.values() for at in some), default=began) - began < SOON * crowding()
        )
        waiting = [user for user, id in ids.items() if world.notification(id).state != "dispatched"]
        assert waiting == ["u100"]
    until(
        lambda: worker.drain() == 0 and world.notification(ids["u100"]).state == "dispatched", 5, "it comes"
    )
    assert world.violations() == []


def test_workers_at_once_keep_the_order_while_inboxes_are_locked_again_and_again(world: World) -> None:
    users = [f"u{number}" for number in range(6)]
    arrive(world, *users)
    before = len(users)
    stop = threading.Event()
    sent: list[tuple[str, list[str]]] = []

    def hinder() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with locked(world, users[number % len(users)]):
                time.sleep(0.02)

    def drain() -> None:
        worker = Dispatcher(world.database, Heard(), settings(batch_size=7), clock=now)
        while not stop.is_set():
            worker.drain()
            worker.chunks(0)
            worker.dispatch_owed()
        worker._steps.published.flush()

    threads = [threading.Thread(target=hinder), *(threading.Thread(target=drain) for _ in range(3))]
    for thread in threads:
        thread.start()
    for number in range(200):
        to = [users[number % 6]] if number % 3 else users[number % 4 :]
        sent.append((world.send(*to), to))

    def all_out() -> bool:
        return all(world.notification(id).state == "dispatched" for id, _ in sent)

    try:
        until(all_out, 30, "all are dispatched")
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert world.violations() == []
    assert world.count(owed) == 0
    for user in users:
        log = [entry.id for entry in world.log(user)]
        for several in (True, False):
            wanted = [id for id, to in sent if user in to and (len(to) > 1) is several]
            assert [id for id in log if id in set(wanted)] == wanted
    assert before == len(users)


@pytest.mark.alone
def test_many_poisoned_rows_are_found_in_few_transactions(world: World, worker: Dispatcher) -> None:
    arrive(world, *(f"u{number}" for number in range(200)))
    ids = [world.badge(f"u{number}", "tasks", 1) for number in range(200)]
    bad = [ids[7], ids[150]]
    for id in bad:
        world.sql("UPDATE notifier_notifications SET data = '{}' WHERE id = :id", id=id)
    assert took(worker.drain) < SOON * crowding()
    left = [id for id in ids if world.notification(id).state != "dispatched"]
    assert left == bad
    assert [world.notification(id).attempts for id in bad] == [1, 1]


@pytest.mark.parametrize("kind", ["batch", "chunk"])
def test_work_that_times_out_is_halved(world: World, worker: Dispatcher, kind: str) -> None:
    """A statement_timeout that a thousand recipients exceed is long enough for fewer."""
    users = [f"u{number:03}" for number in range(400)]
    arrive(world, *users)
    world.sql("""
        CREATE FUNCTION notifier_test_slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END $$""")
    world.sql("""CREATE TRIGGER notifier_test_slow BEFORE INSERT ON notifier_deliveries
        FOR EACH ROW EXECUTE FUNCTION notifier_test_slow()""")
    try:
        ids = [world.send(*users)] if kind == "chunk" else [world.send(user) for user in users]
        name = world.database.engine.url.database
        world.sql(f"ALTER DATABASE \"{name}\" SET statement_timeout = '250ms'")
        world.database.dispose()
        worker.drain()
        worker.chunks(60)
        assert all(world.notification(id).state == "dispatched" for id in ids)
        assert all(world.notification(id).attempts == 0 for id in ids)
    finally:
        world.sql("DROP TRIGGER notifier_test_slow ON notifier_deliveries")
        world.sql("DROP FUNCTION notifier_test_slow")
        world.sql(f'ALTER DATABASE "{name}" RESET ALL')
        world.database.dispose()


def test_a_change_of_a_locked_inbox_gives_up_and_holds_no_connection_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(world, "u1", "u2")
    monkeypatch.setattr(change_entries, "PATIENCE", 0.3)
    with locked(world, "u1"):
        change = threading.Thread(target=world.read_through, args=("u1", 1))
        change.start()
        time.sleep(0.1)
        assert world.database.engine.pool.checkedout() <= 1  # type: ignore[attr-defined]
        with pytest.raises(DatabaseLocked):
            change_entries.change_entries(world.database, Heard(), "u1", READ, through=1)
        assert world.read_through("u2", 1).unread == 0
    change.join(30)
    assert world.head("u1") == (2, 0)


def test_a_purge_passes_over_a_locked_inbox(world: World) -> None:
    arrive(world, "u1", "u2", "u3")
    world.tick(3_600)
    before = world.tick()
    with locked(world, "u2"):
        assert world.purge(before) == 2
    assert world.purge(before) == 1
    assert world.violations() == []
