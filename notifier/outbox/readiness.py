"""Check whether the database accepts writes now, without writing a row."""

import sqlite3
import time

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from notifier.core.errors import DatabaseUnavailable
from notifier.outbox.engine import Connection, Database
from notifier.outbox.failures import Cause
from notifier.outbox.sqlite_session import BLOCKING_MS
from notifier.outbox.tables import notifications

REMEMBERED = 30.0  # seconds for which a failure for lack of space counts, unless another write succeeds

#: The names of causes in `/readyz` and `notifier_database_state`.
STATES = {
    Cause.UNAVAILABLE: "unreachable",
    Cause.FULL: "full",
    Cause.READ_ONLY: "read-only",
    Cause.PERMISSION: "no permission",
    Cause.TIMEOUT: "timeout",
}

# It changes no row, but PostgreSQL makes the checks of every UPDATE: that the transaction may write,
# that this is not a standby, and the grants. SQLite takes the lock for writing.
_NOTHING = sa.update(notifications).where(sa.false()).values(attempts=notifications.c.attempts)


def fault(database: Database) -> Cause | None:
    """Return why rows cannot be written now; None: they can, as far as is known without writing.

    A full disk shows only when something is written, so the last such failure counts for a while.
    """
    try:
        with database.probe() as connection:
            _try_to_write(connection)
    except DatabaseUnavailable as exc:
        return cause_of(exc)
    if time.monotonic() - database.full_at < REMEMBERED:
        return Cause.FULL
    return None


def cause_of(error: DatabaseUnavailable) -> Cause:
    """Return why the database was unavailable, as one of the causes with a state."""
    found = next((cause for cause in STATES if cause.value == error.detail), None)
    return found or Cause.UNAVAILABLE


def _try_to_write(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        connection.execute(_NOTHING)
        return
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        connection.execute(_NOTHING)
    except OperationalError as exc:
        if getattr(exc.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            raise  # otherwise another connection is writing: writes are accepted
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {BLOCKING_MS}")
