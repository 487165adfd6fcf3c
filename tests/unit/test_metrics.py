"""Each event is counted once: by signals, by a dispatcher, by a web process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.orm import Session

from models.store import erased
from models.store.dispatch import Dispatched
from models.tables import metadata
from monitoring import metrics
from notifier import Alert, send
from notifier.broker import Message, Publisher
from notifier.core.errors import BrokerUnavailable, DatabaseUnavailable, IdempotencyMismatch
from notifier.core.log import Entry
from notifier.outbox.engine import Database, make_engine
from notifier.send import Sender
from notifier.settings import Settings
from notifier.signals import broker_failed
from notifier.wake import Waker
from tests.harness.waiting import until
from tests.harness.world import World, settings
from tests.unit.broker_by_hand import Room
from web import create_app
from web.metrics import close_code
from web.runtime import EXTENSION
from worker.dispatcher import Dispatcher
from worker.metrics import Metrics

ALERT = Alert(title="t", message="m", type="info")
Value = Callable[..., float]


@pytest.fixture
def grown() -> Value:
    """Return by how much a sample has grown since the test began."""
    metrics.listen()
    before: dict[tuple[str, frozenset[tuple[str, str]]], float] = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
    }

    def since(name: str, **labels: str) -> float:
        now = metrics.REGISTRY.get_sample_value(name, labels) or 0.0
        return now - before.get((name, frozenset(labels.items())), 0.0)

    return since


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(make_engine(f"sqlite:///{tmp_path / 'notifier.db'}"))
    metadata.create_all(database.engine)
    yield database
    database.dispose()


class Silent:
    """Wakes nobody."""

    def wake(self, id: str, *, bulk: bool = False) -> None:
        """Wake no worker."""


# ---------------------------------------------------------------------- accepted


@pytest.fixture
def _sends(database: Database) -> Iterator[None]:
    send.use(Sender(database, Silent()))
    yield
    send.use(None)


@pytest.mark.usefixtures("_sends")
def test_what_is_stored_counts_once(grown: Value) -> None:
    send.send_notification("u1", ALERT, idempotency_key="k")
    send.send_notification("u1", ALERT, idempotency_key="k")
    with pytest.raises(IdempotencyMismatch):
        send.send_notification("u2", ALERT, idempotency_key="k")
    send.update_badge("u1", "tasks", 3)
    assert grown("notifier_accepted_total") == 2


@pytest.mark.usefixtures("_sends")
def test_in_a_callers_transaction_it_counts_with_the_commit(grown: Value, database: Database) -> None:
    with Session(database.engine) as session:
        send.send_notification("u1", ALERT, session=session)
        assert grown("notifier_accepted_total") == 0
        session.commit()
        assert grown("notifier_accepted_total") == 1
        send.send_notification("u1", ALERT, session=session)
        session.rollback()
    assert grown("notifier_accepted_total") == 1


# ---------------------------------------------------------------------- the broker


def test_a_publish_that_fails_counts_once_until_it_is_tried_again(grown: Value) -> None:
    def refuse(_deadline: float) -> Any:
        raise ConnectionRefusedError("down")

    publisher = Publisher(Settings(_env_file=None), opener=refuse)
    for _ in range(3):
        with pytest.raises(BrokerUnavailable):
            publisher.publish([Message("u1", 1, b"{}")])
    assert grown("notifier_broker_errors_total", part="publish") == 1


def test_a_lost_subscription_counts(grown: Value) -> None:
    room = Room()
    room.start_connected()
    room.broker.down = True
    room.broker.cut()
    until(lambda: grown("notifier_broker_errors_total", part="subscribe") >= 2, 10, "lost, and not had again")
    room.broker.down = False
    room.stop()


def test_a_wake_up_that_fails_counts(grown: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Waker):
        away = True

        def _connect(self) -> Any:
            if self.away:
                raise ConnectionError("away")
            return ()

        @staticmethod
        def _send(producer: Any, name: str, id: str) -> None:
            """Send nothing: the broker is back."""

    monkeypatch.setattr("notifier.wake.RETRY", 0.01)
    waker = Broken(settings())
    waker.wake("1")
    until(lambda: grown("notifier_broker_errors_total", part="wake") >= 2, 10, "tried, and tried again")
    waker.away = False
    assert until(lambda: waker.flush(1), 10, "woken")


def test_every_part_of_a_failure_is_known() -> None:
    for part in metrics.BROKER_ERRORS:
        broker_failed.send(None, part=part)


# ---------------------------------------------------------------------- the dispatcher


class Carrier:
    """A publisher that can fail."""

    down = False

    def publish(self, messages: Sequence[Message]) -> None:
        if self.down:
            raise BrokerUnavailable("down")


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def dispatcher(world: World, carrier: Carrier) -> Dispatcher:
    given = settings(max_attempts=2, retry_base=1, retry_max=1)
    return Dispatcher(
        world.database, carrier, given, clock=lambda: world.now, jitter=lambda: 0.0, measures=Metrics()
    )


def test_a_dispatch_counts_notifications_entries_and_their_age(
    grown: Value, world: World, dispatcher: Dispatcher
) -> None:
    world.send("u1")
    world.send("u1", "u2", "u3")
    world.now += timedelta(seconds=4)
    dispatcher.drain()
    assert grown("notifier_dispatched_total") == 2
    assert grown("notifier_entries_total") == 4
    assert grown("notifier_latency_seconds_count", stage="accept_to_dispatch") == 2
    assert grown("notifier_latency_seconds_sum", stage="accept_to_dispatch") == pytest.approx(5 + 4)
    assert grown("notifier_latency_seconds_bucket", stage="accept_to_dispatch", le="2.0") == 0
    assert grown("notifier_latency_seconds_bucket", stage="accept_to_dispatch", le="5.0") == 2
    assert grown("notifier_latency_seconds_count", stage="dispatch_to_publish") == 1
    assert grown("notifier_unpublished_total") == 0


def test_a_clock_that_goes_back_makes_no_latency_below_nothing(
    grown: Value, world: World, dispatcher: Dispatcher
) -> None:
    world.send("u1")
    world.now -= timedelta(seconds=4)
    dispatcher.drain()
    assert grown("notifier_latency_seconds_sum", stage="accept_to_dispatch") == 0


def test_what_could_not_be_published_counts_by_event(
    grown: Value, world: World, dispatcher: Dispatcher, carrier: Carrier
) -> None:
    carrier.down = True
    world.send("u1", "u2")
    dispatcher.drain()
    assert grown("notifier_unpublished_total") == 2
    assert grown("notifier_dispatched_total") == 1
    assert grown("notifier_latency_seconds_count", stage="dispatch_to_publish") == 0


def test_a_failing_row_counts_as_tried_again_and_in_the_end_as_given_up(
    grown: Value, world: World, dispatcher: Dispatcher
) -> None:
    bad = world.badge("u1", "tasks", 1)
    world.sql("UPDATE notifier_notifications SET data = '{}' WHERE id = :id", id=bad)
    dispatcher.drain()
    assert (grown("notifier_retries_total"), grown("notifier_given_up_total")) == (1, 0)
    world.now += timedelta(seconds=10)
    dispatcher.drain()
    assert (grown("notifier_retries_total"), grown("notifier_given_up_total")) == (1, 1)


def test_a_worker_counts_the_database_that_is_away(grown: Value, tmp_path: Path) -> None:
    engine = make_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailable):
        Database(engine, limit=Metrics().counted).check()
    assert grown("notifier_database_errors_total") == 1


def test_counting_costs_little(world: World, dispatcher: Dispatcher) -> None:
    """A batch of 200 takes tens of milliseconds; counting must not add to it."""
    entries = [("u", Entry(n, "alert", str(n), "s", 1_700_000_000_000, {}, 0, True)) for n in range(200)]
    done = Dispatched([str(n) for n in range(200)], [str(n) for n in range(200)], entries)
    counted = Metrics()
    began = time.process_time()
    for _ in range(20):
        counted.dispatched(done, 1_700_000_000.5)
    assert (time.process_time() - began) / 20 < 0.01


# ---------------------------------------------------------------------- the web process


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(settings(var_dir=tmp_path, demo=False))
    metadata.create_all(app.extensions[EXTENSION].database.engine)
    yield app
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


def shown(app: Flask) -> dict[str, float]:
    text = app.test_client().get("/metrics").text
    return {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}


def test_a_web_process_shows_what_waits(app: Flask) -> None:
    world = World(app.extensions[EXTENSION].database)
    assert shown(app)["notifier_waiting"] == shown(app)["notifier_waiting_age_seconds"] == 0
    world.send("u1")
    now = shown(app)
    assert (now["notifier_database_up"], now["notifier_waiting"], now["notifier_dead"]) == (1, 1, 0)
    assert now["notifier_waiting_age_seconds"] > 0


def test_a_web_process_shows_erasures_that_have_something_left(app: Flask) -> None:
    database = app.extensions[EXTENSION].database

    def note(user: str, begun: datetime, *, finished: bool) -> None:
        database.run(lambda c: erased.note(c, user, head=0, finished=finished, now=begun))

    present = datetime.now(UTC)
    assert shown(app)["notifier_erasures_unfinished"] == 0
    note("u1", present, finished=False)
    note("u2", present - timedelta(days=80), finished=False)
    note("u3", present, finished=True)
    assert shown(app)["notifier_erasures_unfinished"] == 2
    note("u1", present, finished=True)
    assert shown(app)["notifier_erasures_unfinished"] == 1


def test_close_codes_that_peers_invent_share_a_label() -> None:
    codes = [*range(1000, 1016), 4400, 4401, 4403, 4408, 4410, 4429]
    assert [close_code(code) for code in codes] == [str(code) for code in codes]
    assert {close_code(code) for code in range(3000, 4400)} == {"other"}


def test_without_a_database_up_is_0_and_the_backlog_is_missing(grown: Value, tmp_path: Path) -> None:
    away = settings(
        var_dir=tmp_path,
        database_url="postgresql+psycopg://nobody@127.0.0.1:1/none",
        secret="s" * 32,
        api_keys="k",
    )
    app = create_app(away)
    now = shown(app)
    send.use(None)
    assert now["notifier_database_up"] == 0
    assert not {"notifier_waiting", "notifier_waiting_age_seconds", "notifier_dead"} & set(now)
    assert grown("notifier_database_errors_total") == 1
