"""Steps of the drain: each is committed, then published; what fails is kept with its row.

Publishing always comes after the commit: a published frame is already in SQL, so a gateway
that sees a gap finds it there. What is not published (a crash right after the commit, a dead broker)
the gateways notice by the next event's seq, or when they compare heads.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from models.store import failures
from models.store.advance import SomethingOwed
from models.store.fan_out import Dispatched
from models.tables import DEAD
from notifier.core.backoff import equal_jitter
from notifier.core.errors import DatabaseLocked, Unavailable
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.dialect import POSTGRESQL
from notifier.outbox.engine import Connection, Database
from notifier.settings import Settings
from worker.busy_users import BusyUsers
from worker.measures import Measures
from worker.published import PublishedMarks
from worker.publishing import Publishes, Publishing

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

#: What one transaction does; with `careful=True` it passes over users whose inbox is locked.
Step = Callable[..., Dispatched]


class Steps:
    """Commits steps and publishes them, and postpones rows that fail.

    Args:
        database: the database.
        publisher: sends the committed changes to the gateways.
        settings: attempts and delays.
        busy: gets the users whose inbox was locked.
        clock: the present, in UTC.
        jitter: returns a number from 0 to 1, a new one at each call.
        measures: counts what is done.
        wake_reach: tells the workers for channels that a row is due; never fails.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publishes,
        settings: Settings,
        busy: BusyUsers,
        *,
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
        measures: Measures,
        wake_reach: Callable[[], None],
    ) -> None:
        self._database = database
        self._settings = settings
        self._busy = busy
        self._clock = clock
        self._jitter = jitter
        self._measures = measures
        self._wake_reach = wake_reach
        self.published = PublishedMarks(database)
        self._publishing = Publishing(publisher, self.published, measures, clock)

    def run(self, work: Step, *, beside: bool = False) -> Dispatched:
        """Commit `work`, then publish it: before this returns, or `beside` what follows.

        Raises DatabaseUnavailable, and whatever a row's content causes.
        """
        try:
            done = self._database.run(work)
        except (DatabaseLocked, SomethingOwed):
            if self._database.engine.dialect.name != POSTGRESQL:
                raise
            done = self._database.run(partial(work, careful=True))
        self.committed(done, beside=beside)
        return done

    def guarded(self, key: int | str, work: Step, *, beside: bool = False) -> Dispatched | None:
        """Run `work`; when it fails, store the error with the row of that number or id, and postpone it.

        Raises DatabaseUnavailable.
        """
        try:
            return self.run(work, beside=beside)
        except Unavailable:
            raise
        except Exception as exc:  # noqa: BLE001  whatever it is, it is this row's
            self._postpone(key, exc)
            return None

    def committed(self, done: Dispatched, *, beside: bool = False) -> None:
        """Publish what a transaction has committed."""
        if done.busy:
            for user in self._busy.add(done.busy):
                throttled.warning("an inbox is locked by somebody else for over a second: user=%s", user)
        if not done.ids:
            return  # nothing waited, so nobody has to wait for what is published beside
        self._measures.dispatched(done, self._clock().timestamp())
        self._publishing.committed(done, beside=beside)
        if done.reach_due:
            self._wake_reach()

    def settle(self) -> None:
        """Wait until what is published beside is out."""
        self._publishing.settle()

    def _postpone(self, key: int | str, exc: Exception) -> None:
        settings = self._settings
        error = f"{type(exc).__name__}: {exc}"

        def store(connection: Connection) -> tuple[str, str]:
            id, attempts = failures.failing(connection, key)
            pause = equal_jitter(attempts, settings.retry_base, settings.retry_max, self._jitter)
            delay = timedelta(seconds=pause)
            return id, failures.postpone(
                connection, key, error, now=self._clock(), delay=delay, max_attempts=settings.max_attempts
            )

        id, state = self._database.run(store)
        self._measures.failed(dead=state == DEAD)
        level = logging.ERROR if state == DEAD else logging.WARNING
        log.log(level, "dispatch failed: notification=%s state=%s error=%s", id, state, error)
