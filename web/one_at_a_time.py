"""One change in flight for each user in this process: one user cannot take all database connections."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from notifier.core.errors import DatabaseLocked

MAX_WAITING = 20  # waiting changes of one user; more are refused
PATIENCE = 2.0  # seconds that a change waits


class _Turn:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


class OneAtATime:
    """Run callers with the same key one after the other. Safe from any thread or greenlet.

    Args:
        max_waiting: waiting callers for one key.
        patience: seconds that a caller waits.
    """

    def __init__(self, max_waiting: int = MAX_WAITING, patience: float = PATIENCE) -> None:
        self._max_waiting = max_waiting
        self._patience = patience
        self._turns: dict[str, _Turn] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """Hold the key's turn during the block. Raises DatabaseLocked when too many wait, or for too long."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            if turn.users > self._max_waiting:
                raise DatabaseLocked("too many changes of this user wait")
            turn.users += 1
        try:
            if not turn.lock.acquire(timeout=self._patience):
                raise DatabaseLocked("an earlier change of this user has not ended")
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            with self._lock:
                turn.users -= 1
                if not turn.users:
                    del self._turns[key]
