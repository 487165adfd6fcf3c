"""A network that forgets a connection stops neither the process that waits for it nor others who wait for its locks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from notifier.core.errors import DatabaseUnavailable
from notifier.outbox import postgres_session
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.lost_answers import LostAnswers
from tests.harness.bad_network import BadNetwork
from tests.harness.waiting import until

LOCK = sa.text("UPDATE notifier_inboxes SET unread = unread WHERE user_id = 'u'")
NEW = sa.text(
    "INSERT INTO notifier_inboxes (user_id, seq, unread, read_through, purged_seq) VALUES ('u', 0, 0, 0, 0)"
)


@pytest.fixture
def network(migrated_postgres_url: str) -> Iterator[BadNetwork]:
    network = BadNetwork(sa.make_url(migrated_postgres_url).port or 5432)
    yield network
    network.stop()


@pytest.fixture
def far(migrated_postgres_url: str, network: BadNetwork) -> Iterator[Database]:
    """Yield the database beyond the network."""
    url = sa.make_url(migrated_postgres_url).set(port=network.port).render_as_string(hide_password=False)
    engine = make_engine(url, pool_size=2)
    LostAnswers(engine, make_engine(url, pool_size=1), interval=0.1, patience=0.5)
    database = Database(engine)
    yield database
    database.dispose()


@pytest.fixture
def near(migrated_postgres_url: str) -> Iterator[Database]:
    database = Database(make_engine(migrated_postgres_url))
    with database.write() as connection:
        connection.execute(NEW)
    yield database
    database.dispose()


def in_thread(work: object) -> tuple[threading.Thread, list[BaseException]]:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, failed


def test_a_thread_whose_answer_was_lost_goes_on_when_the_network_is_back(
    far: Database, near: Database, network: BadNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    asked = threading.Event()

    def work() -> None:
        with far.write() as connection:
            connection.execute(LOCK)
            network.swallows = True
            asked.set()
            connection.execute(LOCK)

    thread, failed = in_thread(work)
    assert asked.wait(10)
    time.sleep(0.3)
    network.mend()
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(failed[0], DatabaseUnavailable)

    def said() -> set[int]:
        return {record.levelno for record in caplog.records if "lost on its way" in record.getMessage()}

    until(lambda: said() == {logging.WARNING}, 5, "the line, which comes after the connection's end")
    with far.write() as connection:
        connection.execute(sa.text("SELECT 1"))


def test_the_server_ends_a_transaction_that_it_hears_nothing_of(
    far: Database, near: Database, network: BadNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_session, "IDLE_SECONDS", 1)

    def work() -> None:
        with far.write() as connection:
            connection.execute(LOCK)
            network.swallows = True
            connection.execute(LOCK)

    in_thread(work)
    until(lambda: network.swallows, 10, "it has the lock")

    def locked() -> None:
        with near.write() as connection:
            connection.execute(sa.text("SET LOCAL lock_timeout = '10s'"))
            connection.execute(LOCK)

    locked()


def test_a_long_statement_is_left_alone(far: Database, near: Database) -> None:
    with far.write() as connection:
        connection.execute(sa.text("SELECT pg_sleep(2)"))
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1


def test_a_stricter_limit_of_the_server_stays_and_commands_have_none(migrated_postgres_url: str) -> None:
    strict = sa.make_url(migrated_postgres_url).update_query_dict(
        {"options": f"-c {postgres_session.IDLE}=3s"}
    )
    usual = sa.make_url(migrated_postgres_url)
    for url, limited, shown in ((strict, True, "3s"), (usual, True, "15s"), (usual, False, "0")):
        engine = make_engine(url.render_as_string(hide_password=False), idle_limit=limited)
        with engine.connect() as connection:
            assert connection.execute(sa.text(f"SHOW {postgres_session.IDLE}")).scalar_one() == shown
        engine.dispose()
