"""A failure of the database is not a row's fault: callers get a temporary error, and no row uses up an attempt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from models.tables import notifications
from notifier.core.errors import DatabaseLocked, DatabaseTimeout, DatabaseUnavailable
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.failures import Cause, cause
from notifier.outbox.types import now
from tests.harness import postgres
from tests.harness.world import World, real_time_world, settings
from worker.dispatcher import Dispatcher


class NoPublisher:
    def publish(self, _messages: object) -> None:
        """Publish nothing."""


@pytest.fixture
def troubled(migrated_postgres_url: str) -> Iterator[World]:
    """A private database, whose settings the test may change."""
    database = Database(make_engine(migrated_postgres_url))
    yield real_time_world(database)
    database.dispose()


def configure(world: World, setting: str) -> None:
    """Change the database's settings, as an operator does; new connections have them."""
    _alter(world, f"SET {setting}")


def reset(world: World) -> None:
    _alter(world, "RESET ALL")


def _alter(world: World, what: str) -> None:
    # Over another database: with such settings this one refuses connections.
    postgres.execute(postgres.shared_url(), f'ALTER DATABASE "{world.database.engine.url.database}" {what}')
    world.database.dispose()


@contextmanager
def locked(world: World, statement: str) -> Iterator[None]:
    """Hold the locks of a statement in a transaction of its own."""
    other = sa.create_engine(world.database.engine.url, poolclass=sa.NullPool)
    with other.connect() as connection:
        connection.execute(sa.text(statement))
        yield
        connection.rollback()


def dispatcher(world: World) -> Dispatcher:
    return Dispatcher(world.database, NoPublisher(), settings(), clock=now)


def untouched(world: World, ids: list[str]) -> bool:
    rows = [world.notification(id) for id in ids]
    return all((row.state, row.attempts, row.next_attempt_at) == ("accepted", 0, None) for row in rows)


TROUBLES: dict[str, tuple[str, str, type[DatabaseUnavailable]]] = {
    "read-only": ("default_transaction_read_only = on", "SELECT 1", DatabaseUnavailable),
    "lock_timeout": (
        "lock_timeout = '100ms'",
        "LOCK TABLE notifier_notifications IN ACCESS EXCLUSIVE MODE",
        DatabaseLocked,
    ),
    "statement_timeout": (
        "statement_timeout = '100ms'",
        "LOCK TABLE notifier_notifications IN ACCESS EXCLUSIVE MODE",
        DatabaseTimeout,
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_callers_get_a_temporary_error(troubled: World, trouble: str) -> None:
    setting, lock, error = TROUBLES[trouble]
    configure(troubled, setting)
    with locked(troubled, lock), pytest.raises(error):
        troubled.send("u1")
    reset(troubled)
    assert troubled.send("u1")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_dispatch_that_fails_by_it_uses_up_no_attempt_and_keeps_the_order(
    troubled: World, trouble: str
) -> None:
    ids = [troubled.send("u1") for _ in range(5)]
    bulk = troubled.send(*(f"u{number}" for number in range(150)))
    setting, lock, _ = TROUBLES[trouble]
    configure(troubled, setting)
    worker = dispatcher(troubled)
    with locked(troubled, lock):
        for attempt in (worker.drain, lambda: worker.chunks(0), worker.drain):
            with pytest.raises(DatabaseUnavailable):
                attempt()
    reset(troubled)
    assert untouched(troubled, [*ids, bulk])
    worker.drain()
    worker.chunks(60)
    worker._steps.published.flush()  # its thread has nothing left to write when the database is gone
    assert [entry.id for entry in troubled.log("u1")] == [*ids, bulk]
    assert troubled.violations() == []


def test_a_role_without_permission_is_not_the_rows_fault(troubled: World) -> None:
    id = troubled.send("u1")
    with troubled.database.write() as connection:
        connection.execute(sa.text("DROP ROLE IF EXISTS notifier_test_reader"))
        connection.execute(sa.text("CREATE ROLE notifier_test_reader"))
        connection.execute(sa.text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO notifier_test_reader"))
    try:
        configure(troubled, "role = notifier_test_reader")
        with pytest.raises(DatabaseUnavailable, match="permission"):
            troubled.send("u1")
        with pytest.raises(DatabaseUnavailable, match="permission"):
            dispatcher(troubled).drain()
    finally:
        reset(troubled)
        troubled.sql("DROP OWNED BY notifier_test_reader")
        troubled.sql("DROP ROLE notifier_test_reader")
    assert untouched(troubled, [id])


def test_work_that_loses_every_conflict_gets_a_temporary_error(troubled: World) -> None:
    def lose(connection: sa.Connection) -> None:
        connection.execute(sa.text("DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(DatabaseUnavailable):
        troubled.database.run(lose)


@pytest.mark.parametrize(
    "statement", ["SELECT 1/0", "SELECT nothing FROM nowhere", "INSERT INTO notifier_inboxes VALUES (NULL)"]
)
def test_a_statement_that_is_wrong_is_an_error_of_its_own(world: World, statement: str) -> None:
    if world.database.engine.dialect.name == "sqlite" and statement == "SELECT 1/0":
        pytest.skip("SQLite answers NULL")
    with pytest.raises(DBAPIError):
        world.sql(statement)


# ---------------------------------------------------------------------- SQLite


def the_cause(work: Callable[[], object]) -> Cause:
    with pytest.raises(DBAPIError) as caught:
        work()
    return cause(caught.value)


def test_a_sqlite_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "notifier.db").mkdir()
    database = Database(make_engine(f"sqlite:///{tmp_path / 'notifier.db'}"))
    with pytest.raises(DatabaseUnavailable):
        database.check()


def test_a_file_that_is_not_sqlite_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "notifier.db").write_bytes(b"no database" * 500)
    database = Database(make_engine(f"sqlite:///{tmp_path / 'notifier.db'}"))
    with pytest.raises(DatabaseUnavailable):
        database.check()


def test_sqlite_that_is_read_only_or_full_is_unavailable(sqlite_database: Database) -> None:
    world = World(sqlite_database)
    with sqlite_database.write() as connection:
        connection.exec_driver_sql("PRAGMA query_only = on")
    with pytest.raises(DatabaseUnavailable):
        world.send("u1")
    sqlite_database.dispose()
    with sqlite_database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DBAPIError) as caught:
            connection.execute(
                sa.insert(notifications),
                {"id": "00000000-0000-7000-8000-000000000000", "event": "alert", "data": {"m": "m" * 100_000},
                 "inbox": True, "sender": "s", "recipients": 1, "bulk": False, "request_hash": "",
                 "accepted_at": now()},
            )  # fmt: skip
        assert cause(caught.value) is Cause.FULL


def test_a_value_that_sqlite_refuses_is_an_error_of_its_own(sqlite_database: Database) -> None:
    def insert() -> None:
        with sqlite_database.engine.begin() as connection:
            connection.exec_driver_sql("SELECT ?", (object(),))

    assert the_cause(insert) is Cause.STATEMENT


def test_a_writer_that_waits_too_long_on_sqlite_gets_a_temporary_error(
    sqlite_database: Database,
) -> None:
    impatient = Database(make_engine(str(sqlite_database.engine.url), lock_timeout=0.1))
    world, holds, done = World(impatient), threading.Event(), threading.Event()

    def hold() -> None:
        with sqlite_database.write():
            holds.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(10)
    with pytest.raises(DatabaseUnavailable):
        world.send("u1")
    done.set()
    thread.join()
