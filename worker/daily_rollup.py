"""Rolls up days beside the tasks: counting a large day takes seconds, and no alert may wait for it."""

import logging
import threading
import time
from collections.abc import Callable

from notifier.core.errors import DatabaseUnavailable
from notifier.outbox.engine import Database
from usecases.rollup import roll_up_days

INTERVAL = 60.0  # seconds between the beginnings of two rounds

log = logging.getLogger(__name__)


class DailyRollup:
    """Starts a round in a thread of its own, when it is due and none is running.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = float("-inf")
        self._thread: threading.Thread | None = None

    def __call__(self, database: Database) -> None:
        """Start a round if it is due; return at once."""
        if self._clock() < self._next or (self._thread is not None and self._thread.is_alive()):
            return
        self._next = self._clock() + INTERVAL
        self._thread = threading.Thread(target=_round, args=(database,), name="close-days", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait for a running round, `timeout` seconds at most."""
        if self._thread is not None:
            self._thread.join(timeout)


def _round(database: Database) -> None:
    try:
        done = roll_up_days(database)
    except DatabaseUnavailable as exc:
        log.warning("daily rollup put off: error=%s", exc)
    except Exception:
        log.exception("daily rollup failed; reports count from the rows until it works")
    else:
        if done:
            log.info("days rolled up: days=%d", done)
