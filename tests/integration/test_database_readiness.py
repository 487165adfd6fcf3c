"""How `/readyz` checks that the database accepts writes: without writing, and without waiting for a lock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from models.tables import metadata
from notifier.core.errors import DatabaseUnavailable
from notifier.outbox import readiness
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.failures import Cause
from tests.harness import postgres


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Database]:
    database = Database(make_engine(f"sqlite:///{tmp_path / 'notifier.db'}"))
    metadata.create_all(database.engine)
    yield database
    database.dispose()


def _fault(url: str) -> Cause | None:
    database = Database(make_engine(url))
    try:
        return readiness.fault(database)
    finally:
        database.dispose()


def _execute(url: str, *statements: str) -> None:
    for statement in statements:
        postgres.execute(url, statement)


def test_postgres_is_ready(migrated_postgres_url: str) -> None:
    assert _fault(migrated_postgres_url) is None


def test_postgres_that_is_read_only_says_so(migrated_postgres_url: str) -> None:
    name = postgres.database_name(migrated_postgres_url)
    _execute(postgres.shared_url(), f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    assert _fault(migrated_postgres_url) is Cause.READ_ONLY
    _execute(postgres.shared_url(), f'ALTER DATABASE "{name}" RESET ALL')
    assert _fault(migrated_postgres_url) is None


def test_postgres_without_a_grant_says_so(migrated_postgres_url: str) -> None:
    _execute(migrated_postgres_url, "DROP ROLE IF EXISTS notifier_reader", "CREATE ROLE notifier_reader")
    name = postgres.database_name(migrated_postgres_url)
    me = sa.engine.make_url(migrated_postgres_url).username
    try:
        _execute(migrated_postgres_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO notifier_reader")
        _execute(postgres.shared_url(), f'ALTER ROLE "{me}" IN DATABASE "{name}" SET role = notifier_reader')
        assert _fault(migrated_postgres_url) is Cause.PERMISSION
    finally:
        _execute(postgres.shared_url(), f'ALTER ROLE "{me}" IN DATABASE "{name}" RESET ALL')
        _execute(migrated_postgres_url, "DROP OWNED BY notifier_reader", "DROP ROLE notifier_reader")


def test_postgres_that_is_away_is_unavailable() -> None:
    assert _fault("postgresql+psycopg://nobody@127.0.0.1:1/none") is Cause.UNAVAILABLE


def test_sqlite_is_ready_also_while_another_one_writes(lite: Database) -> None:
    assert readiness.fault(lite) is None
    with lite.write() as connection:
        connection.execute(sa.text("DELETE FROM notifier_notifications"))
        begun = time.monotonic()
        assert readiness.fault(lite) is None
        assert time.monotonic() - begun < 0.5
    with lite.write() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 1_000


def test_sqlite_that_cannot_be_written_says_so(lite: Database) -> None:
    @sa.event.listens_for(lite.engine, "connect")
    def _read_only(connection: object, _record: object) -> None:
        connection.execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]

    lite.dispose()
    assert readiness.fault(lite) is Cause.READ_ONLY


def test_a_full_disk_counts_until_a_write_succeeds(lite: Database) -> None:
    def fill() -> None:
        with lite.write() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            connection.exec_driver_sql("CREATE TABLE filler (x)")
            connection.exec_driver_sql("INSERT INTO filler VALUES (zeroblob(1000000))")

    with pytest.raises(DatabaseUnavailable):
        fill()
    assert readiness.fault(lite) is Cause.FULL
    assert readiness.fault(lite) is Cause.FULL
    lite.dispose()  # and then the state ends
    with lite.write() as connection:
        connection.execute(sa.text("DELETE FROM notifier_notifications"))
    assert readiness.fault(lite) is None
