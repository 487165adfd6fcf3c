"""The drain publishes what it committed, and a bad row does not delay others."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from models.store import status
from models.tables import metadata
from notifier.broker.message import Message
from notifier.core.errors import BrokerUnavailable, DatabaseUnavailable
from notifier.outbox.engine import Database, make_engine
from notifier.signals import notification_dispatched
from tests.harness.waiting import until
from tests.harness.world import World, settings
from worker.dispatcher import Dispatcher


class TooEarly(BaseException):
    """Raised when something is published before its commit; not an Exception, so no handler catches it."""


@dataclass
class FakePublisher:
    """Keeps its messages, and checks each time that the database already has them."""

    database: Database
    messages: list[Message] = field(default_factory=list)
    bursts: int = 0
    fails_with: Exception | None = None

    def publish(self, messages: Sequence[Message]) -> None:
        with self.database.read() as connection:
            for message in messages:
                found = connection.scalar(
                    sa.text("SELECT count(*) FROM notifier_deliveries WHERE user_id = :user AND seq = :seq"),
                    {"user": message.user_id, "seq": message.seq},
                )
                if found != 1:
                    raise TooEarly(message)
        if self.fails_with:
            raise self.fails_with
        self.bursts += 1
        self.messages += messages

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(message.body) for message in self.messages]


@dataclass
class Worker:
    """A dispatcher with a database, a clock that the test moves, and no jitter."""

    world: World
    publisher: FakePublisher
    dispatcher: Dispatcher

    def row(self, id: str) -> Any:
        return self.world.notification(id)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(make_engine(f"sqlite:///{tmp_path / 'notifier.db'}"))
    metadata.create_all(database.engine)
    yield database
    database.dispose()


def working(database: Database, **given: Any) -> Worker:
    world, publisher = World(database), FakePublisher(database)
    return Worker(
        world,
        publisher,
        Dispatcher(
            database,
            publisher,
            settings(retry_base=1, retry_max=60, **given),
            clock=lambda: world.now,
            jitter=lambda: 1.0,
        ),
    )


@pytest.fixture
def worker(database: Database) -> Worker:
    return working(database, max_attempts=3)


def poison(worker: Worker, id: str) -> None:
    """Break a stored badge, so that every try to dispatch it fails."""
    worker.world.sql("UPDATE notifier_notifications SET data = '{}' WHERE id = :id", id=id)


# ---------------------------------------------------------------------- the drain


def test_everything_that_waits_goes_out_in_the_order_of_acceptance(worker: Worker) -> None:
    first, second = worker.world.send("u1"), worker.world.send("u1", "u2")
    assert worker.dispatcher.drain() == 2
    assert [(m.user_id, m.seq) for m in worker.publisher.messages] == [("u1", 1), ("u1", 2), ("u2", 1)]
    assert [frame["id"] for frame in worker.publisher.frames] == [first, second, second]
    assert worker.dispatcher.drain() == 0


def test_a_batch_is_published_in_one_burst(worker: Worker) -> None:
    for _ in range(20):
        worker.world.send("u1")
    worker.dispatcher.drain()
    assert (worker.publisher.bursts, len(worker.publisher.messages)) == (1, 20)


def test_a_drain_continues_until_nothing_waits(database: Database) -> None:
    worker = working(database, batch_size=3)
    ids = [worker.world.send("u1") for _ in range(8)]
    assert worker.dispatcher.drain() == 8
    assert [frame["id"] for frame in worker.publisher.frames] == ids
    assert worker.publisher.bursts == 3


def test_a_frame_is_what_the_log_says(worker: Worker) -> None:
    worker.world.send("u1")
    worker.dispatcher.drain()
    (frame,) = worker.publisher.frames
    (entry,) = worker.world.log("u1")
    assert (frame["seq"], frame["unread"], frame["data"], frame["timestamp"]) == (
        entry.seq,
        entry.unread,
        entry.data,
        entry.timestamp,
    )


def test_each_dispatched_notification_is_signalled_once(worker: Worker) -> None:
    heard: list[str] = []

    def receive(sender: object, id: str) -> None:
        heard.append(id)

    ids = [worker.world.send("u1"), worker.world.send("u1", "u2")]
    with notification_dispatched.connected_to(receive):
        worker.dispatcher.drain()
        worker.dispatcher.drain()
    assert heard == ids


def test_a_receiver_that_raises_does_not_hold_up_the_drain(worker: Worker) -> None:
    def break_down(sender: object, id: str) -> None:
        raise RuntimeError

    worker.world.send("u1")
    with notification_dispatched.connected_to(break_down):
        assert worker.dispatcher.drain() == 1


# ---------------------------------------------------------------------- what fails


def test_a_poisoned_row_does_not_delay_others(worker: Worker) -> None:
    before, bad, after = (
        worker.world.send("u1"),
        worker.world.badge("u1", "tasks", 1),
        worker.world.send("u1"),
    )
    poison(worker, bad)
    worker.dispatcher.drain()
    assert [frame["id"] for frame in worker.publisher.frames] == [before, after]
    assert [worker.row(id).state for id in (before, bad, after)] == ["dispatched", "accepted", "dispatched"]
    assert worker.world.head("u1") == (2, 2)
    assert worker.world.violations() == []


def test_a_row_that_failed_keeps_its_error_and_waits_longer_each_time(worker: Worker) -> None:
    bad = worker.world.badge("u1", "tasks", 1)
    poison(worker, bad)
    waits: list[timedelta] = []
    for attempt in (1, 2):
        worker.dispatcher.drain()
        row = worker.row(bad)
        assert (row.state, row.attempts) == ("accepted", attempt)
        assert row.error.startswith("KeyError")
        waits.append(row.next_attempt_at - worker.world.now)
        worker.world.now = row.next_attempt_at
    assert waits == [timedelta(seconds=1), timedelta(seconds=2)]


def test_it_is_left_alone_until_its_time_comes(worker: Worker) -> None:
    bad = worker.world.badge("u1", "tasks", 1)
    poison(worker, bad)
    worker.dispatcher.drain()
    worker.dispatcher.drain()
    assert worker.row(bad).attempts == 1


def test_after_its_last_attempt_it_is_dead_and_no_longer_tried(worker: Worker) -> None:
    bad = worker.world.badge("u1", "tasks", 1)
    poison(worker, bad)
    for _ in range(5):
        worker.dispatcher.drain()
        worker.world.tick(1_000)
    row = worker.row(bad)
    assert (row.state, row.attempts, row.next_attempt_at) == ("dead", 3, None)
    with worker.world.database.read() as connection:
        assert [dead.id for dead in status.dead(connection)] == [bad]
    assert worker.world.violations() == []


def test_one_that_heals_goes_out_with_the_rest(worker: Worker) -> None:
    bad = worker.world.badge("u1", "tasks", 1)
    poison(worker, bad)
    worker.dispatcher.drain()
    data = json.dumps({"type": "tasks", "count": 1})
    worker.world.sql("UPDATE notifier_notifications SET data = :data WHERE id = :id", data=data, id=bad)
    worker.world.tick(10)
    worker.dispatcher.drain()
    row = worker.row(bad)
    assert (row.state, row.error, row.next_attempt_at) == ("dispatched", None, None)


def test_the_wait_never_grows_over_its_limit_and_is_spread(database: Database) -> None:
    world = World(database)
    spread = iter([0.0, 1.0])
    dispatcher = Dispatcher(
        database,
        FakePublisher(database),
        settings(retry_base=100, retry_max=60, max_attempts=9),
        clock=lambda: world.now,
        jitter=lambda: next(spread),
    )
    bad = world.badge("u1", "tasks", 1)
    world.sql("UPDATE notifier_notifications SET data = '{}' WHERE id = :id", id=bad)
    waits = []
    for _ in range(2):
        dispatcher.drain()
        waits.append(world.notification(bad).next_attempt_at - world.now)
        world.tick(61)
    assert waits == [timedelta(seconds=30), timedelta(seconds=60)]


def test_rows_whose_json_is_broken_fail_alone(worker: Worker) -> None:
    good, bad = worker.world.send("u1"), worker.world.send("u2")
    worker.world.sql("UPDATE notifier_notifications SET audience = 'not json' WHERE id = :id", id=bad)
    worker.dispatcher.drain()
    assert worker.row(good).state == "dispatched"
    with worker.world.database.read() as connection:
        attempts = connection.scalar(
            sa.text("SELECT attempts FROM notifier_notifications WHERE id = :id"), {"id": bad}
        )
    assert attempts == 1


def test_many_poisoned_rows_in_front_delay_nobody(database: Database) -> None:
    worker = working(database, batch_size=5)
    for _ in range(12):
        poison(worker, worker.world.badge("u1", "tasks", 1))
    good = worker.world.send("u1")
    worker.dispatcher.drain()
    assert worker.row(good).state == "dispatched"


# ---------------------------------------------------------------------- a broker that is away


def test_what_could_not_be_published_is_still_committed(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.publisher.fails_with = BrokerUnavailable("away")
    id = worker.world.send("u1")
    assert worker.dispatcher.drain() == 1
    assert worker.row(id).state == "dispatched"
    assert worker.row(id).attempts == 0
    assert worker.world.head("u1") == (1, 1)
    assert "committed, not published" in caplog.text


def test_a_publisher_that_breaks_in_its_own_way_uses_no_attempt_and_affects_no_other_row(
    worker: Worker,
) -> None:
    worker.publisher.fails_with = RuntimeError("a bug in a transport")
    told: list[str] = []

    def hear(_sender: object, id: str) -> None:
        told.append(id)

    notification_dispatched.connect(hear)
    ids = [worker.world.send("u1") for _ in range(3)]
    worker.dispatcher.drain()
    assert [worker.row(id).state for id in ids] == ["dispatched"] * 3
    assert [worker.row(id).attempts for id in ids] == [0] * 3
    assert told == ids, "committed is dispatched, published or not"


class BrokenDatabase(Database):
    """A database that fails after several transactions."""

    left = 0

    def run(self, work: Any) -> Any:
        if self.left == 0:
            raise DatabaseUnavailable("away")
        self.left -= 1
        return super().run(work)


def test_a_database_that_goes_away_ends_the_drain_and_uses_no_attempt(database: Database) -> None:
    world = World(database)
    ids = [world.send("u1") for _ in range(4)]
    broken = BrokenDatabase(database.engine)
    broken.left = 1
    publisher = FakePublisher(database)
    dispatcher = Dispatcher(broken, publisher, settings(batch_size=2), clock=lambda: world.now)
    with pytest.raises(DatabaseUnavailable):
        dispatcher.drain()
    assert [frame["id"] for frame in publisher.frames] == ids[:2]
    assert [world.notification(id).attempts for id in ids] == [0] * 4


# ---------------------------------------------------------------------- large audiences


def test_a_bulk_notification_goes_out_chunk_by_chunk(database: Database) -> None:
    worker = working(database, chunk_size=100)
    id = worker.world.send(*(f"u{n:03}" for n in range(250)))
    assert worker.dispatcher.drain() == 0, "the single lane leaves it alone"
    assert [worker.dispatcher.chunks(0) for _ in range(3)] == [True, True, False]
    assert worker.dispatcher.chunks(0) is False
    assert [m.user_id for m in worker.publisher.messages] == [f"u{n:03}" for n in range(250)]
    assert worker.row(id).state == "dispatched"
    assert worker.world.violations() == []


def test_a_chunk_is_published_while_the_next_one_is_written(database: Database) -> None:
    worker = working(database, chunk_size=100)
    publish, waits = worker.publisher.publish, [100, 200]

    def slow(messages: Sequence[Message]) -> None:
        if waits:
            written = waits.pop(0)
            until(lambda: rows(database) > written, 10, "the next chunk is written meanwhile")
        publish(messages)

    worker.publisher.publish = slow  # type: ignore[method-assign]
    worker.world.send(*(f"u{n:03}" for n in range(250)))
    assert worker.dispatcher.chunks(30) is False
    assert [m.user_id for m in worker.publisher.messages] == [f"u{n:03}" for n in range(250)]
    assert worker.publisher.bursts == 3


def test_the_last_chunk_is_published_however_the_chunks_end(database: Database) -> None:
    worker = working(database, chunk_size=100)
    worker.world.send(*(f"u{n:03}" for n in range(250)))
    run, left = database.run, ["chunk"]

    def away(work: Any) -> Any:
        if not left:
            raise DatabaseUnavailable("on purpose")
        left.pop()
        return run(work)

    database.run = away  # type: ignore[method-assign]
    with pytest.raises(DatabaseUnavailable):
        worker.dispatcher.chunks(30)
    assert len(worker.publisher.messages) == 100


def rows(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(sa.text("SELECT count(*) FROM notifier_deliveries")) or 0


def test_it_is_signalled_when_its_last_chunk_is_out(database: Database) -> None:
    worker = working(database, chunk_size=100)
    id = worker.world.send(*(f"u{n:03}" for n in range(150)))
    heard: list[str] = []

    def receive(sender: object, id: str) -> None:
        heard.append(id)

    with notification_dispatched.connected_to(receive):
        worker.dispatcher.chunks(0)
        assert heard == []
        worker.dispatcher.chunks(0)
        worker.dispatcher.chunks(0)
    assert heard == [id]


def test_bulk_notifications_go_out_one_after_the_other_and_those_to_some_between_them(
    database: Database,
) -> None:
    worker = working(database, chunk_size=100)
    everybody = [f"u{n:03}" for n in range(250)]
    sent = [
        worker.world.send("u000", "u249", title="some first"),
        worker.world.send(*everybody, title="bulk"),
        worker.world.send(*reversed(everybody), title="bulk again"),
        worker.world.send("u000", "u249", title="some last"),
    ]
    while worker.dispatcher.chunks(0):
        assert worker.dispatcher.stalled()
    assert not worker.dispatcher.stalled()
    for user in ("u000", "u249"):
        assert [entry.id for entry in worker.world.log(user)] == sent
    assert worker.world.violations() == []


def test_what_was_accepted_before_a_bulk_one_goes_first_though_both_come_in_the_middle(
    database: Database,
) -> None:
    worker = working(database)
    worker.world.send("somebody")
    drain, sent = worker.dispatcher.drain, []

    def drained(woken_at: datetime | None = None) -> int:
        taken = drain(woken_at)
        if not sent:
            sent.append(worker.world.send("u000", "u149", title="some"))
            sent.append(worker.world.send(*(f"u{n:03}" for n in range(150)), title="bulk"))
        return taken

    worker.dispatcher.drain = drained  # type: ignore[method-assign]
    for _ in range(3):
        worker.dispatcher.chunks(0)
    assert not worker.dispatcher.stalled()
    for user in ("u000", "u149"):
        assert [entry.id for entry in worker.world.log(user)] == sent


@pytest.mark.parametrize("audience", ["{}", '["u000", "u001"]', "null", '"u000"', "[7]"])
def test_a_chunk_that_fails_is_put_off_and_dies_in_the_end(worker: Worker, audience: str) -> None:
    id = worker.world.send(*(f"u{n:03}" for n in range(150)))
    worker.world.sql("UPDATE notifier_notifications SET audience = :bad WHERE id = :id", bad=audience, id=id)
    for attempt in (1, 2, 3):
        assert worker.dispatcher.chunks(0) is False, "no further chunk is enqueued before its time"
        assert worker.row(id).attempts == attempt
        worker.world.tick(100)
    assert worker.row(id).state == "dead"
    assert not worker.dispatcher.stalled()


def test_a_bulk_one_behind_one_that_fails_goes_out(worker: Worker) -> None:
    bad, good = (worker.world.send(*(f"u{n:03}" for n in range(150))) for _ in range(2))
    worker.world.sql("UPDATE notifier_notifications SET audience = '[\"u000\"]' WHERE id = :id", id=bad)
    while worker.dispatcher.chunks(0):
        pass
    assert [worker.row(id).state for id in (bad, good)] == ["accepted", "dispatched"]
    assert worker.row(bad).attempts == 1


def test_a_wake_up_for_an_unknown_notification_does_nothing(worker: Worker) -> None:
    assert worker.dispatcher.chunks(0) is False


def test_the_present_is_in_utc(worker: Worker) -> None:
    id = worker.world.send("u1")
    worker.dispatcher.drain()
    moment: datetime = worker.row(id).dispatched_at
    assert moment == worker.world.now
    assert moment.utcoffset() == timedelta(0)


def test_the_log_of_a_failure_names_the_row_and_the_error(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    id = worker.world.badge("u1", "tasks", 1)
    poison(worker, id)
    with caplog.at_level(logging.WARNING):
        worker.dispatcher.drain()
    assert f"dispatch failed: notification={id} state=accepted error=KeyError" in caplog.text
