"""The drain: takes what waits, puts it into inboxes, and publishes what it committed.

A chunk of a broadcast is published while the next one is written: half of its time is Python making
frames for the broker, the other half is waiting for the database. Nothing else overtakes it.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

from models.store import at_once, dispatch, owed
from models.store.fan_out import Dispatched
from notifier.core.backoff import by_chance
from notifier.core.errors import DatabaseLocked, DatabaseTimeout, Unavailable
from notifier.outbox.dialect import POSTGRESQL
from notifier.outbox.engine import Database
from notifier.outbox.types import now as utc_now
from notifier.settings import Settings
from usecases.follow_up import follow_up
from worker.amount import Amount
from worker.busy_users import BusyUsers
from worker.measures import Measures
from worker.publishing import Publishes
from worker.steps import Steps

log = logging.getLogger(__name__)


TELL_FOR = 0.2  # seconds for which logs are told before a chunk; others wait for it
NOT_PLAIN = 1.0  # seconds after a notification that was not plain, in which the one statement is not tried


class Dispatcher:
    """Dispatches what is accepted, in the order of acceptance.

    Args:
        database: the database.
        publisher: sends the committed changes to the gateways.
        settings: batch and chunk sizes, attempts and delays.
        clock: the present, in UTC.
        jitter: returns a number from 0 to 1, a new one at each call.
        measures: counts what is done.
        pause: waits that many seconds.
        wake_reach: tells the workers for channels that a row is due; never fails.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publishes,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = utc_now,
        jitter: Callable[[], float] = by_chance,
        measures: Measures | None = None,
        pause: Callable[[float], None] = time.sleep,
        wake_reach: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._settings = settings
        self._clock = clock
        self._pause = pause
        self._not_plain_until = 0.0  # monotonic seconds
        self.draining = False  # whether a drain runs, which takes everything that waits now
        self._skips_locked = database.engine.dialect.name == POSTGRESQL
        self._busy = BusyUsers()
        self._batch_size = Amount(settings.batch_size)
        self._chunk_size = Amount(settings.chunk_size)
        self._steps = Steps(
            database,
            publisher,
            settings,
            self._busy,
            clock=clock,
            jitter=jitter,
            measures=measures or Measures(),
            wake_reach=wake_reach,
        )

    def drain(self, woken_at: datetime | None = None) -> int:
        """Dispatch every single notification that waits; return how many were handled.

        A user whose inbox is locked is set aside; it stays for those who are free again soon, the next drain
        finds the others.

        `woken_at`: when the wake-up was sent that asks for it; None: there was none.
        Raises DatabaseUnavailable; what was committed before has been published.
        """
        total, more, self.draining = 0, True, True
        try:
            while more:
                taken, more = self._batch(woken_at)
                total += taken + self._retry(woken_at)
                if not more and (pause := self._busy.short_pause()) is not None:
                    self._pause(pause)
                    more = True
        finally:
            self.draining = False
        return total

    def _batch(self, woken_at: datetime | None) -> tuple[int, bool]:
        """Dispatch one batch; return its size, and whether more waits behind it.

        What is accepted while it runs has a wake-up of its own.
        """
        limit = self._batch_size.now
        work = partial(
            dispatch.dispatch_batch,
            limit=limit,
            now=self._clock(),
            woken_at=woken_at,
            zone=self._settings.timezone,
            busy=frozenset(self._busy.all()),
        )
        try:
            done = self._plain(limit, woken_at) or self._steps.run(work)
        except DatabaseTimeout:
            if not self._batch_size.halve():
                raise
            return 0, True
        except Unavailable:
            raise
        except Exception:
            # One bad row must not delay others.
            log.exception("a batch failed, trying its rows in smaller ones")
            with self._database.read() as connection:
                numbers = dispatch.due_numbers(connection, limit=limit, now=self._clock())
            self._apart(numbers, woken_at)
            return len(numbers), len(numbers) == limit  # each is dispatched, postponed or dead now
        self._batch_size.grow()
        progress = bool(done.ids or done.busy or done.expired)
        return len(done.ids), done.more and progress

    def _plain(self, limit: int, woken_at: datetime | None) -> Dispatched | None:
        """Dispatch plain notifications in one statement; None: that did nothing, the general way must do it.

        It is not tried again for a moment after it did nothing, so that it costs those nothing who have
        preferences or badges.
        """
        if not self._skips_locked or self._busy.all() or time.monotonic() < self._not_plain_until:
            return None
        work = partial(at_once.dispatch_plain, limit=limit, now=self._clock(), woken_at=woken_at)
        done = None
        with suppress(DatabaseLocked):
            done = self._database.run_at_once(work)
        if done is None:
            self._not_plain_until = time.monotonic() + NOT_PLAIN
            return None
        if done.more and not done.ids:
            return None  # another drainer has just taken them, and may die before it comes to what is behind
        self._steps.committed(done)
        return done

    def _apart(self, numbers: Sequence[int], woken_at: datetime | None) -> None:
        """Dispatch these in two halves, and a half that fails in halves again, until bad rows are alone."""
        half = len(numbers) // 2
        for some in (numbers[:half], numbers[half:]) if half else (numbers,):
            work = partial(
                dispatch.dispatch_numbers,
                numbers=some,
                now=self._clock(),
                woken_at=woken_at,
                zone=self._settings.timezone,
                busy=frozenset(self._busy.all()),
            )
            if len(some) == 1:
                self._steps.guarded(some[0], work)
                continue
            try:
                self._steps.run(work)
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001  its bad rows tell theirs
                self._apart(some, woken_at)

    def _retry(self, woken_at: datetime | None) -> int:
        """Try users again who are due, apart from all others: first what is owed to them."""
        users = frozenset(self._busy.due())
        if not users:
            return 0
        locked = self._dispatch_owed(woken_at, only=users)
        work = partial(
            dispatch.dispatch_batch,
            limit=self._batch_size.now,
            now=self._clock(),
            woken_at=woken_at,
            zone=self._settings.timezone,
            busy=locked,
            only=users - locked,
        )
        total = 0
        if users - locked:
            try:
                done = self._steps.run(work)
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001  the next batch takes its bad rows apart
                done = Dispatched()
            total = len(done.ids)
            locked |= frozenset(done.busy)
        self._busy.remove(users - locked)
        return total

    def dispatch_owed(self) -> None:
        """Dispatch what is owed to anybody who is not set aside here. Raises DatabaseUnavailable."""
        self._dispatch_owed(None)

    def _dispatch_owed(self, woken_at: datetime | None, only: frozenset[str] = frozenset()) -> frozenset[str]:
        """Dispatch what is owed to users, or to all; return those who are still locked."""
        locked: frozenset[str] = frozenset()
        while True:
            busy = frozenset(self._busy.all()) | locked if not only else locked
            with self._database.read() as connection:
                number = owed.oldest(connection, busy=busy, only=only - locked, now=self._clock())
            if number is None:
                return locked
            work = partial(
                dispatch.dispatch_owed,
                number=number,
                size=self._chunk_size.now,
                now=self._clock(),
                woken_at=woken_at,
                zone=self._settings.timezone,
                busy=busy,
                only=only - locked,
            )
            done = self._steps.guarded(number, work)
            locked |= frozenset(done.busy) if done is not None else frozenset()
            if only and only <= locked:
                return locked

    def chunks(self, seconds: float, woken_at: datetime | None = None) -> bool:
        """Dispatch chunks for that time, one at least, and publish them; return whether more wait.

        `woken_at` as for `drain`. Raises DatabaseUnavailable.
        """
        until = time.monotonic() + seconds
        try:
            while self._chunk(woken_at):
                if time.monotonic() >= until:
                    return True
        finally:
            self._steps.settle()
        return False

    def _chunk(self, woken_at: datetime | None) -> bool:
        """Dispatch the next chunk of the oldest bulk notification that is due; whether more wait.

        Before it goes what was accepted earlier for several users, and after its last chunk what had
        to wait for it.
        """
        waiting = self.waiting()
        if waiting.untold:
            self._steps.settle()
            if self.follow_up(TELL_FOR):
                return True
        if waiting.singles:
            self.drain(woken_at)
        if waiting.bulk is None:
            return False
        work = partial(
            dispatch.dispatch_chunk,
            id=waiting.bulk,
            size=self._chunk_size.now,
            now=self._clock(),
            woken_at=woken_at,
            zone=self._settings.timezone,
            busy=frozenset(self._busy.all()),
        )
        try:
            done = self._steps.guarded(waiting.bulk, work, beside=True)
        except DatabaseTimeout:
            if not self._chunk_size.halve():
                raise
            return True
        self._chunk_size.grow()
        if done is not None and done.more:
            return True
        self.drain(woken_at)
        return self.stalled()

    def follow_up(self, seconds: float) -> bool:
        """Tell logs of ends and updates for that time; return whether more wait.

        Raises DatabaseUnavailable.
        """
        return follow_up(self._database, self._publisher, seconds)

    def stalled(self) -> bool:
        """Whether bulk notifications wait. Raises DatabaseUnavailable."""
        return self.waiting().bulk is not None

    def waiting(self) -> dispatch.Waiting:
        """Return what is due. Raises DatabaseUnavailable."""
        with self._database.read() as connection:
            return dispatch.waiting(connection, now=self._clock())
