"""The SQLSTATE class, or SQLite's code, alone decides whose fault a database error is."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from notifier.core.errors import DatabaseLocked, DatabaseTimeout, DatabaseUnavailable, TablesMissing
from notifier.outbox.failures import Cause, cause, is_conflict, unavailable

SQLSTATES = {
    Cause.UNAVAILABLE: ["08000", "08006", "08P01", "25P03", "57P01", "57P02", "57P03", "58000", "58030"],
    Cause.FULL: ["53000", "53100", "53200", "53300"],
    Cause.READ_ONLY: ["25006"],
    Cause.TIMEOUT: ["57014"],
    Cause.LOCKED: ["55P03"],
    Cause.PERMISSION: ["42501", "28000", "28P01"],
    Cause.CONFLICT: ["40001", "40P01"],
    Cause.POOLER: ["26000", "42P05"],
    Cause.STATEMENT: [
        "22001",
        "22003",
        "22P02",
        "23502",
        "23505",
        "42601",
        "42P01",
        "42703",
        "P0001",
        "XX000",
    ],
}
SQLITE_CODES = {
    Cause.LOCKED: [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_LOCKED],
    Cause.UNAVAILABLE: [sqlite3.SQLITE_IOERR_WRITE,
                        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB],
    Cause.READ_ONLY: [sqlite3.SQLITE_READONLY, sqlite3.SQLITE_READONLY_DBMOVED],
    Cause.FULL: [sqlite3.SQLITE_FULL],
    Cause.PERMISSION: [sqlite3.SQLITE_PERM],
    Cause.STATEMENT: [sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG],
}  # fmt: skip


def of_state(state: str) -> DBAPIError:
    class Failed(psycopg.Error):
        sqlstate = state

    return DatabaseError("SELECT", {}, Failed("on purpose"))


def of_code(code: int) -> DBAPIError:
    failed = sqlite3.OperationalError("on purpose")
    failed.sqlite_errorcode = code
    return OperationalError("SELECT", {}, failed)


@pytest.mark.parametrize("why", SQLSTATES)
def test_a_sqlstate_says_whose_fault_it_is(why: Cause) -> None:
    for state in SQLSTATES[why]:
        assert cause(of_state(state)) is why, state


@pytest.mark.parametrize("why", SQLITE_CODES)
def test_a_code_of_sqlite_says_whose_fault_it_is(why: Cause) -> None:
    for code in SQLITE_CODES[why]:
        assert cause(of_code(code)) is why, code


def test_a_missing_table_is_the_databases_trouble_when_it_is_one_of_ours() -> None:
    class Postgres(psycopg.Error):
        sqlstate = "42P01"

    class Psycopg2(Exception):
        pgcode = "42P01"

    lite = sqlite3.OperationalError("no such table: notifier_notifications")
    lite.sqlite_errorcode = sqlite3.SQLITE_ERROR
    told = 'relation "notifier_notifications" does not exist'
    for error in (lite, Postgres(told), Psycopg2(told)):
        assert cause(DatabaseError("", {}, error)) is Cause.NO_TABLE
        with pytest.raises(TablesMissing, match="run: notifier migrate"), unavailable():
            raise DatabaseError("", {}, error)
    assert cause(DatabaseError("", {}, Postgres('relation "orders" does not exist'))) is Cause.STATEMENT


def test_a_locked_sqlite_file_is_unavailable_and_says_so() -> None:
    for code in SQLITE_CODES[Cause.LOCKED]:
        with pytest.raises(DatabaseLocked), unavailable():
            raise of_code(code)


def test_without_a_state_only_a_lost_connection_is_the_databases_fault() -> None:
    assert cause(OperationalError("", {}, psycopg.OperationalError("closed"))) is Cause.UNAVAILABLE
    assert cause(InterfaceError("", {}, psycopg.InterfaceError("closed"))) is Cause.UNAVAILABLE
    assert cause(DataError("", {}, psycopg.DataError("NUL in text"))) is Cause.STATEMENT
    assert cause(InterfaceError("", {}, sqlite3.InterfaceError("unsupported type"))) is Cause.STATEMENT


@pytest.mark.parametrize("why", SQLSTATES)
def test_only_the_databases_own_trouble_is_turned_into_unavailable(why: Cause) -> None:
    for state in SQLSTATES[why]:
        error = of_state(state)
        kept = why in (Cause.STATEMENT, Cause.CONFLICT, Cause.POOLER)
        with pytest.raises(DBAPIError if kept else DatabaseUnavailable) as caught, unavailable():
            raise error
        assert isinstance(caught.value, DatabaseTimeout) is (why is Cause.TIMEOUT)
        assert isinstance(caught.value, DatabaseLocked) is (why is Cause.LOCKED)
        assert is_conflict(error) is (why in (Cause.CONFLICT, Cause.POOLER))


def test_a_pool_without_a_free_connection_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable), unavailable():
        raise PoolTimeout


def test_every_class_of_the_drivers_errors_is_judged() -> None:
    """Each class must have a judgement, with any code."""
    for name in dir(errors):
        one = getattr(errors, name)
        if isinstance(one, type) and issubclass(one, psycopg.Error) and one.sqlstate:
            assert cause(of_state(one.sqlstate)) in Cause
