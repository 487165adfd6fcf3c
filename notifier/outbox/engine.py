"""The engine, and the store's kinds of transaction.

`Database.write` is a short writing transaction; `Database.read` sees one consistent moment.
On SQLite a write is `BEGIN IMMEDIATE`: the lock is taken at the start, so that it cannot fail
half-way (https://www.sqlite.org/lang_transaction.html); a read is a WAL snapshot.
"""

import time
from collections.abc import Callable, Iterator
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
from sqlalchemy.pool import ConnectionPoolEntry

from notifier import private
from notifier.core.backoff import equal_jitter, full_jitter
from notifier.core.deadline import NEVER, within
from notifier.core.errors import DatabaseLocked, DatabaseUnavailable, SettingError
from notifier.core.forks import in_child
from notifier.outbox import postgres_session, sqlite_session
from notifier.outbox.failures import Cause, cause, given_up, is_conflict, unavailable
from notifier.outbox.lost_answers import DIRECT, TCP_OPTIONS
from notifier.outbox.sqlite_session import BLOCKING_MS, BUSY_TIMEOUT

__all__ = ["Connection", "Database", "make_engine"]

CONNECT_TIMEOUT = 2  # seconds
POOL_TIMEOUT = 5  # seconds to wait for a pooled connection
RETRIES = 5
CONFLICT_PAUSE, CONFLICT_PAUSE_MAX = 0.02, 0.2  # seconds at most between attempts after a lost conflict
LOCK_PAUSE, LOCK_PAUSE_MAX = 0.002, 0.05  # seconds at most between attempts to get another transaction's lock

SETTING = "NOTIFIER_DATABASE_URL"
DRIVERS_OWN = {"autocommit", "prepare_threshold"}  # options of psycopg, not of libpq

T = TypeVar("T")


def make_engine(
    url: str, *, pool_size: int = 10, lock_timeout: float = BUSY_TIMEOUT, idle_limit: bool = True
) -> Engine:
    """Return an engine for a SQLite file or PostgreSQL, set up as this project needs it.

    Connects to nothing yet. A SQLite file's folder is made.

    Args:
        url: the database.
        pool_size: connections that are kept; as many again may be opened.
        lock_timeout: seconds that a writer waits for another one; SQLite only.
        idle_limit: whether PostgreSQL ends a transaction that does nothing (`postgres_session.IDLE_SECONDS`);
            not for commands, whose output may be read slowly.

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
        event.listen(engine, "do_connect", sqlite_session.make_file)
        event.listen(engine, "connect", sqlite_session.prepare)
        event.listen(engine, "begin", partial(sqlite_session.begin, lock_timeout))
        return engine
    engine = sa.create_engine(
        parsed.difference_update_query(["prepare_threshold"]),
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": "notifier",
            **{name: value for name, value in TCP_OPTIONS.items() if name not in parsed.query},
        },
        **options,
    )
    _check_options(engine, parsed)
    prepares = postgres_session.prepares(parsed)

    def prepare(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[DIRECT] = postgres_session.prepare(
            connection, prepare_statements=prepares, idle_limit=idle_limit
        )

    event.listen(engine, "connect", prepare)
    event.listen(engine, "handle_error", postgres_session.stop_preparing)
    event.listen(engine, "handle_error", postgres_session.hide_values)
    event.listen(engine, "checkin", postgres_session.note_use)
    event.listen(engine, "checkout", partial(postgres_session.ask_if_idle, engine.dialect))
    return engine


def _make_folder(folder: Path) -> None:
    try:
        private.make_folder(folder)
    except OSError as exc:
        raise SettingError(f"{SETTING}: the folder {folder} cannot be made: {exc.strerror}") from None


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
