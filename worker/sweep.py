"""The chores of a worker's timer: dispatch what no wake-up has reached, and purge what is old.

Every worker does both. Two at the same time are harmless: the dispatch and the purge lock what they take, and
the second finds nothing left.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from models.store.dispatch import Waiting
from notifier.core.errors import BrokerUnavailable
from notifier.outbox.engine import Database
from usecases import retention
from worker.cleanup import Cleanup
from worker.daily_rollup import DailyRollup
from worker.dispatcher import Dispatcher

PURGE_INTERVAL = 3600.0  # seconds between the beginnings of two purges
PURGE_PAUSE = 0.25  # seconds between two steps of a purge, in which alerts go first

log = logging.getLogger(__name__)


class Sweep:
    """Dispatches what waits: rows whose wake-up was lost, and rows due for another attempt.

    Args:
        dispatcher: not the one that the tasks use; they run at the same time.
        wake: enqueues a chunk of the bulk notification with this id.
        interval: seconds between two sweeps.
        draining: whether the tasks' dispatcher takes what waits just now. A second drain beside it would
            only wait for its locks, and take turns with it.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        database: Database,
        wake: Callable[[str], None],
        interval: float,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._dispatcher = dispatcher
        self._database = database
        self._wake = wake
        self._interval = interval
        self._draining = draining
        self._cleanup = Cleanup()
        self._roll_up_days = DailyRollup()
        self._seen: Waiting | None = None

    def __call__(self) -> float:
        """Sweep; return the seconds until the next time. Raises DatabaseUnavailable."""
        waiting = self._dispatcher.waiting()
        if waiting.singles and not self._draining() and (found := self._dispatcher.drain()):
            log.info("the sweep dispatched what no wake-up had reached: notifications=%d", found)
        if waiting.owed:
            self._dispatcher.dispatch_owed()
        if waiting.bulk is not None and self._stalled(waiting):
            self._wake_chunk(waiting.bulk)
        self._seen = waiting
        self._cleanup(self._database)
        self._roll_up_days(self._database)
        return self._interval

    def _stalled(self, waiting: Waiting) -> bool:
        """Return whether a bulk notification had no progress between two sweeps.

        One in progress needs no further wake-up: each would add a task that wakes another one.
        """
        seen = self._seen
        return seen is None or (seen.bulk, seen.position) == (waiting.bulk, waiting.position)

    def _wake_chunk(self, id: str) -> None:
        try:
            self._wake(id)
        except (BrokerUnavailable, OSError, ConnectionError) as exc:
            log.warning("wake-up failed, the next sweep tries again: notification=%s error=%s", id, exc)


class Purge:
    """Deletes once an hour what is older than `days`, in small steps."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._age = timedelta(days=days)
        self._after = ""

    def __call__(self) -> float:
        """Do a small step; return the seconds until the next one. Raises DatabaseUnavailable."""
        present = retention.present(self._database)
        done = retention.step(self._database, before=present - self._age, after=self._after, now=present)
        if done.entries:
            log.debug("purged: entries=%d notifications=%d", done.entries, done.notifications)
        self._after = done.after or ""
        return PURGE_INTERVAL if done.after is None else PURGE_PAUSE
