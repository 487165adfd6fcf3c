"""A gateway's list of revocations: in memory, as new as its last read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.store import revocations as store
from models.tables import metadata
from notifier.core.errors import DatabaseUnavailable
from notifier.outbox.engine import Connection, Database, make_engine
from web.gateway.revocation_list import OVERLAP, Revocations

START = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
NEVER = float("-inf")


class Counted(Database):
    """A database that counts its queries, and can be down."""

    reads = 0
    away = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self.reads += 1
        if self.away:
            raise DatabaseUnavailable
        with super().read() as connection:
            yield connection


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Counted]:
    database = Counted(make_engine(f"sqlite:///{tmp_path}/notifier.db"))
    metadata.create_all(database.engine)
    yield database
    database.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(database: Counted, clock: Clock) -> Revocations:
    return Revocations(database, 2.0, clock)


def revoke(database: Database, user_id: str, at: datetime = START) -> float:
    database.run(lambda connection: store.revoke(connection, user_id, now=at))
    return at.timestamp()


def test_a_thousand_checks_are_one_query(known: Revocations, database: Counted) -> None:
    at = revoke(database, "u1")
    assert {known.at("u1") for _ in range(1_000)} == {at}
    assert known.at("u2") == NEVER
    assert database.reads == 1


def test_a_read_returns_new_revocations_once(known: Revocations, database: Counted) -> None:
    first = revoke(database, "u1")
    assert known.refresh() == {"u1": first}
    assert known.refresh() == {}
    again = revoke(database, "u1", START + timedelta(seconds=1))
    other = revoke(database, "u2", START - OVERLAP / 2)  # a clock that is behind
    assert known.refresh() == {"u1": again, "u2": other}
    assert (known.at("u1"), known.at("u2")) == (again, other)


def test_a_revocation_that_a_request_found_first_is_still_returned(
    known: Revocations, database: Counted
) -> None:
    at = revoke(database, "u1")
    assert known.at("u1") == at
    assert known.refresh() == {"u1": at}


def test_an_earlier_revocation_does_not_undo_a_later_one(known: Revocations, database: Counted) -> None:
    at = revoke(database, "u1")
    revoke(database, "u1", START - timedelta(hours=1))
    assert known.at("u1") == at


def test_without_the_gateways_loop_a_caller_reads_the_table_now_and_then(
    known: Revocations, database: Counted, clock: Clock
) -> None:
    assert known.at("u1") == NEVER
    at = revoke(database, "u1")
    clock.now += 5
    assert known.at("u1") == NEVER
    clock.now += 2
    assert known.at("u1") == at
    assert database.reads == 2


def test_during_an_outage_known_revocations_stay_and_tokens_cause_no_queries(
    known: Revocations, database: Counted, clock: Clock
) -> None:
    at = revoke(database, "u1")
    known.refresh()
    database.away, clock.now = True, clock.now + 100
    assert [known.at("u1") for _ in range(10)] == [at] * 10
    assert database.reads == 2
    assert known.refresh() == {}


def test_without_any_read_nothing_is_assumed(known: Revocations, database: Counted) -> None:
    database.away = True
    with pytest.raises(DatabaseUnavailable):
        known.at("u1")
    database.away = False
    assert known.at("u1") == NEVER
