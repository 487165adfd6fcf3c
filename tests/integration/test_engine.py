"""A pooled connection is tested after an idle time, and not when it was just used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from notifier.core.errors import DatabaseUnavailable
from notifier.outbox import postgres_session
from notifier.outbox.engine import Database, make_engine


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    database = Database(make_engine(postgres_url, pool_size=2))
    yield database
    database.dispose()


@pytest.fixture
def pings(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    asked: list[object] = []
    ping = database.engine.dialect.do_ping

    def counted(connection: object) -> bool:
        asked.append(connection)
        return ping(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(database.engine.dialect, "do_ping", counted)
    return asked


def backend(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(sa.text("SELECT pg_backend_pid()")) or 0)


def kill(database: Database, url: str, pid: int) -> None:
    other = sa.create_engine(url, poolclass=sa.NullPool)
    with other.connect() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})


def test_a_connection_in_use_is_not_asked_each_time(database: Database, pings: list[object]) -> None:
    for _ in range(20):
        assert backend(database)
    assert pings == []


def test_a_stale_idle_connection_causes_no_error(
    database: Database, pings: list[object], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = backend(database)
    kill(database, postgres_url, old)
    monkeypatch.setattr(postgres_session, "TRUSTED", 0.0)
    assert backend(database) != old
    assert len(pings) == 1


def test_one_that_died_while_it_was_trusted_causes_one_error_and_empties_the_pool(
    database: Database, postgres_url: str
) -> None:
    with database.read() as one, database.read() as two:  # two pooled connections
        pids = [int(c.scalar(sa.text("SELECT pg_backend_pid()")) or 0) for c in (one, two)]
    for pid in pids:
        kill(database, postgres_url, pid)
    with pytest.raises(DatabaseUnavailable):
        backend(database)
    assert backend(database) not in pids


def test_every_connection_that_goes_back_is_stamped(database: Database) -> None:
    stamps: list[float] = []
    event.listen(database.engine, "checkin", lambda _c, record: stamps.append(record.info["notifier.used"]))
    backend(database)
    assert len(stamps) == 1


def test_work_at_once_is_durable_statement_by_statement(database: Database) -> None:
    """Accepting a call has no BEGIN and COMMIT around it; other work has."""

    def fail(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO kept VALUES (1)"))
        raise ZeroDivisionError

    with database.write() as connection:
        connection.execute(sa.text("CREATE TABLE kept (n integer)"))
    for run in (database.run_at_once, database.run):
        with pytest.raises(ZeroDivisionError):
            run(fail)
    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM kept")) == 1
