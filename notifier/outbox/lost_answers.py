"""End connections to PostgreSQL whose answer was lost on its way.

A network, or a proxy in it, can lose a connection without telling either end. The kernel notices a peer
that acknowledges nothing (`TCP_OPTIONS`); a proxy that acknowledges on its behalf hides that. A thread that
waits for such an answer would wait without end, so another one asks the server, over a new connection,
whether it still works on that statement.
"""

import logging
import os
import socket
import threading
import time
import weakref
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

log = logging.getLogger(__name__)

#: How the kernel notices a peer that is gone: seconds, and milliseconds for what is not acknowledged.
TCP_OPTIONS = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
#: Mark of a session without a pooler in front of it: its process id is the server's.
DIRECT = "notifier.direct"
INTERVAL = 5.0  # seconds between two looks
PATIENCE = 10.0  # seconds in which a session that we wait for does nothing

# Of a hidden session (another role's) the state is NULL; 'disabled': track_activities is off.
_WORKING = sa.text(
    "SELECT pid FROM pg_stat_activity WHERE pid = ANY(:pids)"
    " AND (state IS NULL OR state IN ('active', 'disabled')"
    " OR state_change > clock_timestamp() - make_interval(secs => :patience))"
)


class _Use:
    """One use of a connection, from its checkout to its return."""

    def __init__(self, connection: Any) -> None:
        self.since = time.monotonic()
        self.pid: int = connection.info.backend_pid
        self.descriptor: int = connection.fileno()


class LostAnswers:
    """Watch an engine's connections while they are used; the thread ends with the engine.

    Behind a pooler it does nothing, because there the process ids are the pooler's.

    Args:
        engine: of PostgreSQL; for another database nothing is watched.
        asking: an engine for the same database, used by this alone.
        interval: seconds between two looks.
        patience: seconds without work after which an answer counts as lost.
    """

    def __init__(
        self, engine: Engine, asking: Engine, *, interval: float = INTERVAL, patience: float = PATIENCE
    ) -> None:
        self._asking = asking
        self._interval = interval
        self._patience = patience
        self._uses: dict[ConnectionPoolEntry, _Use] = {}
        self._lock = threading.Lock()
        self._started = False
        self._watched = weakref.ref(engine)
        if engine.dialect.name == "postgresql":
            event.listen(engine, "checkout", self._begin)
            event.listen(engine, "checkin", self._end)

    def _begin(self, connection: Any, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        if not record.info.get(DIRECT):
            return
        use = _Use(connection)
        with self._lock:
            self._uses[record] = use
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="lost-answers", daemon=True).start()

    def _end(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        with self._lock:
            self._uses.pop(record, None)

    def _run(self) -> None:
        while self._watched() is not None:
            time.sleep(self._interval)
            try:
                self.look()
            except SQLAlchemyError as exc:
                log.debug("lost answers not looked for: error=%s", exc)  # the next look may succeed

    def look(self) -> None:
        """End the connections of which the server does not work on anything. Raises SQLAlchemyError."""
        now = time.monotonic()
        with self._lock:
            long = {record: use for record, use in self._uses.items() if now - use.since > self._patience}
        if not long:
            return
        try:
            with self._asking.connect() as connection:
                asked = {"pids": [use.pid for use in long.values()], "patience": self._patience}
                working = set(connection.execute(_WORKING, asked).scalars())
        finally:
            self._asking.dispose()
        for record, use in long.items():
            if use.pid not in working:
                self._cut(record, use)

    def _cut(self, record: ConnectionPoolEntry, use: _Use) -> None:
        with self._lock:  # it cannot be returned meanwhile, so the descriptor is still this connection's
            if self._uses.get(record) is not use:
                return
            del self._uses[record]
            try:
                duplicate = socket.socket(fileno=os.dup(use.descriptor))
            except OSError:
                return  # closed already
            with duplicate:
                try:
                    duplicate.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return
        log.warning(
            "the database's answer was lost on its way, its connection is ended: pid=%d seconds=%.0f",
            use.pid, time.monotonic() - use.since,
        )  # fmt: skip
