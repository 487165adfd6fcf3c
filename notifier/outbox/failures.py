"""Classify a database error by its SQLSTATE class or SQLite's code: who or what is at fault.

This is the only place that decides it. A row or a call is at fault only for its own errors; everything else
is a failure of the database, which concerns everybody and is temporary.

Sources: PostgreSQL's appendix A (https://www.postgresql.org/docs/current/errcodes-appendix.html) and
https://www.sqlite.org/rescode.html.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from notifier.core.errors import DatabaseLocked, DatabaseTimeout, DatabaseUnavailable, TablesMissing

UNDEFINED_TABLE = "42P01"
OURS = "notifier_"  # the prefix of all our tables and views


class Cause(Enum):
    """Why a statement failed."""

    UNAVAILABLE = "the database does not answer"
    FULL = "the database has no space or memory left"
    READ_ONLY = "the database is read-only"
    TIMEOUT = "a statement took too long"
    PERMISSION = "the database denies permission"
    CONFLICT = "the transaction lost against another one"
    POOLER = "a connection pooler lost a prepared statement"
    LOCKED = "the database is locked by another transaction"
    NO_TABLE = "the tables of Live Notifications are not in this database; run: notifier migrate"
    STATEMENT = "the statement or its values are wrong"


#: Exact codes, then classes (the first two characters); all others are the statement's fault.
_SQLSTATES = {
    "25006": Cause.READ_ONLY,  # read_only_sql_transaction
    "25P03": Cause.UNAVAILABLE,  # idle_in_transaction_session_timeout
    "25P04": Cause.UNAVAILABLE,  # transaction_timeout
    "26000": Cause.POOLER,  # invalid_sql_statement_name
    "40001": Cause.CONFLICT,  # serialization_failure
    "40P01": Cause.CONFLICT,  # deadlock_detected
    "42501": Cause.PERMISSION,  # insufficient_privilege
    "42P05": Cause.POOLER,  # duplicate_prepared_statement
    "55P03": Cause.LOCKED,  # lock_not_available: NOWAIT, lock_timeout
    "57014": Cause.TIMEOUT,  # query_canceled: statement_timeout
}
_SQLSTATE_CLASSES = {
    "08": Cause.UNAVAILABLE,  # connection exception
    "28": Cause.PERMISSION,  # invalid authorization specification
    "3D": Cause.UNAVAILABLE,  # no such database
    "53": Cause.FULL,  # insufficient resources: disk, memory, connections
    "57": Cause.UNAVAILABLE,  # operator intervention: shutdown, starting up
    "58": Cause.UNAVAILABLE,  # system error: input and output
}
_SQLITE_CODES = {
    sqlite3.SQLITE_PERM: Cause.PERMISSION,
    sqlite3.SQLITE_BUSY: Cause.LOCKED,
    sqlite3.SQLITE_LOCKED: Cause.LOCKED,
    sqlite3.SQLITE_NOMEM: Cause.FULL,
    sqlite3.SQLITE_READONLY: Cause.READ_ONLY,
    sqlite3.SQLITE_IOERR: Cause.UNAVAILABLE,
    sqlite3.SQLITE_CORRUPT: Cause.UNAVAILABLE,
    sqlite3.SQLITE_FULL: Cause.FULL,
    sqlite3.SQLITE_CANTOPEN: Cause.UNAVAILABLE,
    sqlite3.SQLITE_PROTOCOL: Cause.UNAVAILABLE,
    sqlite3.SQLITE_AUTH: Cause.PERMISSION,
    sqlite3.SQLITE_NOTADB: Cause.UNAVAILABLE,
}
_ERRORS: dict[Cause, type[DatabaseUnavailable]] = {
    Cause.TIMEOUT: DatabaseTimeout,
    Cause.LOCKED: DatabaseLocked,
    Cause.NO_TABLE: TablesMissing,
}


def cause(error: DBAPIError) -> Cause:
    """Return why a statement failed."""
    original = error.orig
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorcode", None)  # None: the driver refused a value
        if code == sqlite3.SQLITE_ERROR and str(original).startswith(f"no such table: {OURS}"):
            return Cause.NO_TABLE  # it has no code of its own
        return Cause.STATEMENT if code is None else _SQLITE_CODES.get(code & 0xFF, Cause.STATEMENT)
    # psycopg's name, and that of psycopg2, which an application may use.
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if state == UNDEFINED_TABLE and f'"{OURS}' in str(original):
        return Cause.NO_TABLE
    if state is None:
        # No connection, or a broken one; other classes are values that the driver refuses.
        lost = isinstance(error, (OperationalError, InterfaceError))
        return Cause.UNAVAILABLE if lost else Cause.STATEMENT
    return _SQLSTATES.get(state) or _SQLSTATE_CLASSES.get(state[:2], Cause.STATEMENT)


def is_conflict(error: DBAPIError) -> bool:
    """Return whether the same transaction may succeed when it is run again at once."""
    return cause(error) in (Cause.CONFLICT, Cause.POOLER)


@contextmanager
def unavailable() -> Iterator[None]:
    """Convert an error that is not the statement's fault into DatabaseUnavailable or a subclass.

    A conflict is not converted: see `is_conflict`.
    """
    try:
        yield
    except PoolTimeout as exc:
        raise DatabaseUnavailable("no database connection is free") from exc
    except DBAPIError as exc:
        why = cause(exc)
        if why is Cause.STATEMENT or is_conflict(exc):
            raise
        raise given_up(why) from exc


def given_up(why: Cause) -> DatabaseUnavailable:
    """Return the error for callers, for a cause that is not their fault."""
    return _ERRORS.get(why, DatabaseUnavailable)(why.value)
