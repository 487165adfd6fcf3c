"""Everything works behind pgbouncer in transaction mode, where each transaction may get another connection."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from notifier.core.errors import SettingError
from notifier.outbox import postgres_session
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.types import now
from tests.harness.pgbouncer import PrivatePgBouncer
from tests.harness.postgres import PrivatePostgres, execute
from tests.harness.world import World, migrate, settings
from worker.dispatcher import Dispatcher


class NoPublisher:
    def publish(self, _messages: object) -> None:
        """Publish nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[PrivatePostgres]:
    with PrivatePostgres() as server:
        yield server


@pytest.fixture(scope="module")
def pooler(server: PrivatePostgres) -> Iterator[PrivatePgBouncer]:
    with PrivatePgBouncer(server) as pooler:
        yield pooler


def test_hundreds_of_sends_reads_and_dispatches_go_through(
    server: PrivatePostgres, pooler: PrivatePgBouncer
) -> None:
    server.create_database("pooled")
    execute(server.admin_url, "ALTER ROLE live SET DateStyle = 'SQL, DMY'")
    execute(server.admin_url, "ALTER ROLE live SET TimeZone = 'Asia/Kathmandu'")
    database = Database(make_engine(pooler.url("pooled")))
    try:
        migrate(database.engine)

        def send(number: int) -> str:
            world = World(database, now())
            id = world.send(f"u{number % 10}")
            world.read_through(f"u{number % 10}", number)
            return id

        with ThreadPoolExecutor(15) as threads:
            sending = [threads.submit(send, number) for number in range(180)]
            workers = [Dispatcher(database, NoPublisher(), settings(), clock=now) for _ in range(2)]
            while not all(one.done() for one in sending):
                for draining in [threads.submit(worker.drain) for worker in workers]:
                    draining.result(60)
            ids = [one.result(60) for one in sending]
        for worker in workers:
            worker.drain()
            worker._steps.published.flush()
        world = World(database, now())
        assert {world.notification(id).state for id in ids} == {"dispatched"}
        assert world.violations() == []
        with database.engine.connect() as connection:
            assert connection.connection.dbapi_connection.prepare_threshold is None  # type: ignore[union-attr]
    finally:
        database.dispose()
        execute(server.admin_url, "ALTER ROLE live RESET ALL")


def test_without_a_pooler_statements_are_prepared_unless_the_url_says_no(server: PrivatePostgres) -> None:
    for options, prepared in (("", True), ("?prepare_threshold=0", False), ("?prepare_threshold=off", False)):
        engine = make_engine(server.url("postgres") + options)
        with engine.connect() as connection:
            threshold = connection.connection.dbapi_connection.prepare_threshold  # type: ignore[union-attr]
            assert (threshold is not None) is prepared
        engine.dispose()


def test_values_are_read_with_any_settings_of_the_role(server: PrivatePostgres) -> None:
    execute(server.admin_url, "ALTER ROLE live SET DateStyle = 'SQL, DMY'")
    execute(server.admin_url, "ALTER ROLE live SET TimeZone = 'Asia/Kathmandu'")
    execute(server.admin_url, "ALTER ROLE live SET standard_conforming_strings = 'off'")
    try:
        engine = make_engine(server.url("postgres"))
        with engine.connect() as connection:
            found = {name: connection.scalar(sa.text(f"SHOW {name}")) for name in postgres_session.SETTINGS}
            assert found == postgres_session.SETTINGS
            assert connection.scalar(sa.text("SELECT timestamptz '2026-01-02 03:04:05+00'")).day == 2
        engine.dispose()
    finally:
        execute(server.admin_url, "ALTER ROLE live RESET ALL")


def test_a_database_that_is_not_utf8_is_refused_in_one_line(server: PrivatePostgres) -> None:
    execute(server.admin_url, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    database = Database(make_engine(server.url("latin")))
    with pytest.raises(SettingError, match=r"^NOTIFIER_DATABASE_URL: .* LATIN1; it must be UTF8$"):
        database.check()
    database.dispose()
