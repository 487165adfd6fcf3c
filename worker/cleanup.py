"""Clean up during sweeps, now and then, in small steps."""

import time
from collections.abc import Callable

from notifier.outbox.engine import Database
from usecases import retention

INTERVAL = 3_600.0  # seconds until the next step, once nothing is left


class Cleanup:
    """Deletes records of old sockets.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = float("-inf")

    def __call__(self, database: Database) -> None:
        """Delete some if it is time. Raises DatabaseUnavailable."""
        if self._clock() >= self._next and not retention.forget_sockets(
            database, now=retention.present(database)
        ):
            self._next = self._clock() + INTERVAL
