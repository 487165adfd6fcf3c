"""The engine, and the store's kinds of transaction.

`Database.write` is a short writing transaction; `Database.read` sees one consistent moment.
On SQLite a write is `BEGIN IMMEDIATE`: the lock is taken at the start, so that it cannot fail
half-way (https://www.sqlite.org/lang_transaction.html); a read is a WAL snapshot.
"""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from notifier import private
from notifier.core.backoff import equal_jitter, full_jitter
from notifier.core.deadline import NEVER, within
from notifier.core.errors import DatabaseLocked, DatabaseUnavailable, SettingError
from notifier.core.forks import in_child
from notifier.outbox import postgres_session
from notifier.outbox.failures import Cause, cause, given_up, is_conflict, unavailable

__all__ = ["Connection", "Database", "make_engine"]

CONNECT_TIMEOUT = 2  # seconds
POOL_TIMEOUT = 5  # seconds to wait for a pooled connection
BUSY_TIMEOUT = 10.0  # seconds a SQLite writer waits for another
BUSY_PAUSE, BUSY_PAUSE_MAX = 0.001, 0.02  # seconds at most between its attempts
BLOCKING_MS = 1_000  # milliseconds that SQLite itself may wait, in which the whole process is blocked
RETRIES = 5
CONFLICT_PAUSE, CONFLICT_PAUSE_MAX = 0.02, 0.2  # seconds at most between attempts after a lost conflict
LOCK_PAUSE, LOCK_PAUSE_MAX = 0.002, 0.05  # seconds at most between attempts to get another transaction's lock

TRUSTED = 1.0  # seconds after its last use for which a pooled connection is trusted

SETTING = "NOTIFIER_DATABASE_URL"
DRIVERS_OWN = {"autocommit", "prepare_threshold"}  # options of psycopg, not of libpq

T = TypeVar("T")


def make_engine(url: str, *, pool_size: int = 10, lock_timeout: float = BUSY_TIMEOUT) -> Engine:
    """Return an engine for a SQLite file or PostgreSQL, set up as this project needs it.

    Connects to nothing yet. A SQLite file's folder is made.

    Args:
        url: the database.
        pool_size: connections that are kept; as many again may be opened.
        lock_timeout: seconds that a writer waits for another one; SQLite only.

    Raises:
        SettingError: the URL cannot be used, or the folder cannot be made.
    """
    try:
        parsed = _with_a_driver(make_url(url))
    except (ArgumentError, ValueError):
        raise SettingError(f"{SETTING}: cannot be read") from None
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
        "hide_parameters": True,  # an error's text would contain notifications
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "pool_timeout": POOL_TIMEOUT,
    }
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            _make_folder(Path(parsed.database).parent)
        engine = sa.create_engine(parsed, connect_args={"timeout": BLOCKING_MS / 1000}, **options)
        event.listen(engine, "do_connect", _make_file)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", partial(_begin_sqlite, lock_timeout))
        return engine
    engine = sa.create_engine(
        parsed.difference_update_query(["prepare_threshold"]),
        connect_args={"connect_timeout": CONNECT_TIMEOUT, "application_name": "notifier"},
        **options,
    )
    _check_options(engine, parsed)
    prepares = postgres_session.prepares(parsed)
    event.listen(engine, "connect", lambda c, _: postgres_session.prepare(c, prepare_statements=prepares))
    event.listen(engine, "handle_error", postgres_session.stop_preparing)
    event.listen(engine, "handle_error", _hide_values)
    event.listen(engine, "checkin", _used)
    event.listen(engine, "checkout", partial(_ask_if_idle, engine.dialect))
    return engine


def _make_folder(folder: Path) -> None:
    try:
        private.make_folder(folder)
    except OSError as exc:
        raise SettingError(f"{SETTING}: the folder {folder} cannot be made: {exc.strerror}") from None


def _make_file(_dialect: Any, _record: Any, arguments: Sequence[Any], _more: Any) -> None:
    """Create the file, readable only by its owner, before SQLite does; its WAL gets the same rights."""
    if not str(arguments[0]).startswith("file:"):
        private.make_file(arguments[0])


def _check_options(engine: Engine, url: sa.URL) -> None:
    """Let the driver check the options after the `?` now: it would refuse them at each connection."""
    driver: Any = engine.dialect.loaded_dbapi
    if engine.dialect.driver != "psycopg":
        return  # psycopg2, of an application
    _, options = engine.dialect.create_connect_args(url)
    try:
        driver.conninfo.make_conninfo(
            **{
                name: value
                for name, value in options.items()
                if name in url.query and name not in DRIVERS_OWN
            }
        )
    except driver.Error as exc:
        raise SettingError(f"{SETTING}: {str(exc).splitlines()[0]}") from None


def _with_a_driver(url: sa.URL) -> sa.URL:
    """Return the URL with a driver that is installed: an application may have psycopg2 alone.

    Raises SettingError when there is none.
    """
    if url.drivername != "postgresql+psycopg" or find_spec("psycopg"):
        return url
    if find_spec("psycopg2"):
        return url.set(drivername="postgresql+psycopg2")
    raise SettingError(f"{SETTING}: PostgreSQL needs a driver; run: pip install 'psycopg[binary]'")


def _used(connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["notifier.used"] = time.monotonic()
    # After a snapshot SQLAlchemy leaves False, and every BEGIN would ask for READ WRITE, also on a
    # database that an operator has made read-only. None: the server's default.
    if getattr(connection, "read_only", None) is False:
        connection.read_only = None


def _ask_if_idle(
    dialect: sa.Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Ping a connection before use, unless it has just been used: a ping costs a round trip.

    A stale connection after a restart of the server must not cause an error.
    """
    if time.monotonic() - record.info.get("notifier.used", float("inf")) <= TRUSTED:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as exc:
        raise sa.exc.DisconnectionError from exc  # the pool makes a new one


def _hide_values(context: sa.engine.ExceptionContext) -> None:
    """Remove PostgreSQL's DETAIL and CONTEXT from an error: they show the row, and errors are logged."""
    told = str(context.original_exception)
    left = re.split(r"\n(?:DETAIL|CONTEXT):", told, maxsplit=1)[0]
    if left == told:
        return
    context.original_exception.args = (left,)
    if context.sqlalchemy_exception is not None:
        said = str(context.sqlalchemy_exception.args[0])
        context.sqlalchemy_exception.args = (said.replace(told, left),)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a 202 survives a power cut too
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(lock_timeout: float, connection: Connection) -> None:
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


class Database:
    """An engine with its kinds of transaction.

    Every method raises DatabaseUnavailable when the database cannot be reached, is locked, or refuses
    all work (`notifier.outbox.failures`).

    Args:
        engine: see `make_engine`.
        limit: entered around each transaction; a process that must not block when the database hangs ends
            it here at the deadline (`notifier.core.deadline`). What it raises inside a statement invalidates
            that connection (SQLAlchemy: `is_exit_exception` in `Connection._handle_dbapi_exception`).
        timeout: seconds for all attempts of a piece of work together.
    """

    def __init__(
        self,
        engine: Engine,
        limit: Callable[[], AbstractContextManager[None]] = nullcontext,
        timeout: float = NEVER,
    ) -> None:
        self.engine = engine
        self.timeout = timeout
        self.full_at = float("-inf")  # when a write last failed for lack of space; monotonic seconds
        self._limit = limit
        options: dict[str, Any] = {"snapshot": True}
        self._immediate: Engine | None = None
        if engine.dialect.name == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            self._immediate = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshots = engine.execution_options(**options)
        in_child(self._leave_to_parent)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a writing transaction: committed at the end, rolled back by an exception."""
        with (
            self._noting(),
            within(self.timeout),
            unavailable(),
            self._limit(),
            self.engine.begin() as connection,
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a reading transaction that sees one consistent moment."""
        with within(self.timeout), unavailable(), self._limit(), self._snapshots.connect() as connection:
            yield connection

    @contextmanager
    def at_once(self) -> Iterator[Connection]:
        """Open a connection in autocommit, for work whose every statement may be durable by itself.

        It saves the round trips of BEGIN and COMMIT. SQLite has none, so there it is a writing transaction.
        """
        if self._immediate is None:
            with self.write() as connection:
                yield connection
            return
        with self._noting(), self.probe() as connection:
            yield connection

    @contextmanager
    def probe(self) -> Iterator[Connection]:
        """Open a connection for `notifier.outbox.readiness`, whose failures are not recorded."""
        engine = self._immediate or self._snapshots
        with within(self.timeout), unavailable(), self._limit(), engine.connect() as connection:
            yield connection

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Record when a write failed for lack of space, which only another write can disprove."""
        try:
            yield
        except DatabaseUnavailable as exc:
            if exc.detail == Cause.FULL.value:
                self.full_at = time.monotonic()
            raise
        self.full_at = float("-inf")

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a writing transaction, and again after a conflict; return its result.

        Raises DatabaseUnavailable, also when every attempt had a conflict.
        """
        with within(self.timeout):
            return self._again(self.write, work)

    def run_at_once(self, work: Callable[[Connection], T]) -> T:
        """Run `work` without one transaction around it: see `at_once`."""
        with within(self.timeout):
            return self._again(self.at_once, work)

    def run_patiently(self, work: Callable[[Connection], T], seconds: float) -> T:
        """Run `work`, which waits for no lock, again while another transaction holds one.

        No connection is held meanwhile. Raises DatabaseLocked when it is held for longer than `seconds`.
        """
        until = time.monotonic() + seconds
        for attempt in count():
            try:
                return self.run(work)
            except DatabaseLocked:
                pause = equal_jitter(attempt, LOCK_PAUSE, LOCK_PAUSE_MAX)
                if time.monotonic() + pause >= until:
                    raise
            time.sleep(pause)
        raise AssertionError("unreachable")

    @staticmethod
    def _again(begin: Callable[[], AbstractContextManager[Connection]], work: Callable[[Connection], T]) -> T:
        for attempt in range(RETRIES):
            try:
                with begin() as connection:
                    return work(connection)
            except DBAPIError as exc:
                if not is_conflict(exc):
                    raise
                if attempt == RETRIES - 1:
                    raise given_up(cause(exc)) from exc
                time.sleep(full_jitter(attempt, CONFLICT_PAUSE, CONFLICT_PAUSE_MAX))
        raise AssertionError("unreachable")

    def check(self) -> None:
        """Run an empty query; raise DatabaseUnavailable when the database does not answer."""
        with self.read() as connection:
            connection.execute(sa.text("SELECT 1"))

    def _leave_to_parent(self) -> None:
        self.engine.dispose(close=False)  # the parent goes on using its connections

    def dispose(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()
