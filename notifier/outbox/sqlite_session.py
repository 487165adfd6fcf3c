"""Prepare a SQLite session, and begin its transactions."""

import sqlite3
import time
from collections.abc import Sequence
from itertools import count
from typing import Any

from sqlalchemy.engine import Connection

from notifier import private
from notifier.core.backoff import equal_jitter

BUSY_TIMEOUT = 10.0  # seconds a SQLite writer waits for another
BUSY_PAUSE, BUSY_PAUSE_MAX = 0.001, 0.02  # seconds at most between its attempts
BLOCKING_MS = 1_000  # milliseconds that SQLite itself may wait, in which the whole process is blocked


def make_file(_dialect: Any, _record: Any, arguments: Sequence[Any], _more: Any) -> None:
    """Create the file, readable only by its owner, before SQLite does; its WAL gets the same rights."""
    if not str(arguments[0]).startswith("file:"):
        private.make_file(arguments[0])


def prepare(connection: Any, _record: Any) -> None:
    """Set up a new session."""
    connection.isolation_level = None  # the driver must not begin by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a 202 survives a power cut too
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def begin(lock_timeout: float, connection: Connection) -> None:
    """Begin a transaction: a snapshot, or a write that has its lock or fails after `lock_timeout` seconds."""
    if connection.get_execution_options().get("snapshot"):
        connection.exec_driver_sql("BEGIN DEFERRED")
        return
    # SQLite's own wait for the lock is a sleep in C, which would block a whole gevent process.
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 0")
    try:
        _take_lock(cursor, lock_timeout)
    except sqlite3.OperationalError:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, to raise SQLAlchemy's kind of error
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {BLOCKING_MS}")
        cursor.close()


def _take_lock(cursor: Any, lock_timeout: float) -> None:
    deadline = time.monotonic() + lock_timeout
    for attempt in count():
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(equal_jitter(attempt, BUSY_PAUSE, BUSY_PAUSE_MAX))
        else:
            return
