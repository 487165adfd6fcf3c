"""Write-behind buffers: values that no caller waits for, written in bounded pieces a moment later.

A crash loses what is buffered. Use them only for values that are sent again, or may be missing.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Generic, TypeVar

from notifier.core.errors import Unavailable
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Connection, Database

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")

MAX_PENDING = 100_000  # values kept while the database is down
PIECE = 500  # values of one transaction


class WriteBehind(Generic[K, V, R]):
    """A buffer of one value for each key. Safe to call from any thread or greenlet.

    Args:
        what: the name of the values, for the log.
        database: where they are written.
        write: stores some values in a transaction.
        merge: combines a kept value with a newer one of the same key; the newer one stays unless given.
        weight: how much one value costs its transaction; 1 unless given.
        piece: weight of one transaction at most; a heavier value has one of its own.
        max_pending: values kept at most; more are dropped.
        written: called with what `write` returned, after the commit.
    """

    def __init__(
        self,
        what: str,
        database: Database,
        write: Callable[[Connection, Sequence[V]], R],
        *,
        merge: Callable[[V, V], V] = lambda _, newer: newer,
        weight: Callable[[V], int] = lambda _: 1,
        piece: int = PIECE,
        max_pending: int = MAX_PENDING,
        written: Callable[[R], object] = lambda _: None,
    ) -> None:
        self._what = what
        self._database = database
        self._write = write
        self._merge = merge
        self._weight = weight
        self._piece = piece
        self._max_pending = max_pending
        self._written = written
        self._pending: dict[K, V] = {}
        self._lock = threading.Lock()
        self._flushing = threading.Lock()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, key: K, value: V) -> None:
        """Keep a value for the next flush; return at once."""
        with self._lock:
            if key in self._pending:
                self._pending[key] = self._merge(self._pending[key], value)
            elif len(self._pending) < self._max_pending:
                self._pending[key] = value

    def flush(self) -> bool:
        """Write what is kept, piece by piece, the oldest first; return whether all of it is written.

        While the database is down, the rest is kept for the next time. A piece that fails for another
        reason is lost, and the log says so. A second call meanwhile waits for the first.
        """
        with self._flushing:
            return self._flush()

    def _flush(self) -> bool:
        left = len(self._pending)
        while left > 0:
            piece = self._take(left)
            left -= len(piece)
            values = list(piece.values())
            try:
                result = self._database.run(partial(self._store, values))
            except Unavailable as exc:
                self._restore(piece)
                throttled.warning("%s kept for later: count=%d error=%s", self._what, len(self), exc)
                return False
            except Exception:
                log.exception("%s lost: count=%d", self._what, len(piece))
            else:
                self._written(result)
        return True

    def _store(self, values: Sequence[V], connection: Connection) -> R:
        return self._write(connection, values)

    def _take(self, left: int) -> dict[K, V]:
        with self._lock:
            piece: dict[K, V] = {}
            weight = 0
            for key, value in islice(self._pending.items(), left):
                weight += self._weight(value)
                if piece and weight > self._piece:
                    break
                piece[key] = value
            for key in piece:
                del self._pending[key]
            return piece

    def _restore(self, piece: dict[K, V]) -> None:
        with self._lock:
            newer, self._pending = self._pending, piece
            for key, value in newer.items():
                known = self._pending.get(key)
                self._pending[key] = value if known is None else self._merge(known, value)
