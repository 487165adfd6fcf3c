"""The drain: takes what waits, puts it into inboxes, and publishes what it committed.

Publishing comes after the commit, always: a frame that is on its way is in SQL already, so whoever
sees a gap finds it there. What is not published (a crash right after the commit, a dead broker)
the gateways notice by the next event's seq, or when they compare heads.

A chunk of a broadcast is published while the next one is written: half of its time is Python making
frames for the broker, the other half is waiting for the database. Nothing else overtakes it.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from models.store import dispatch, failures
from models.store.dispatch import Dispatched
from models.tables import DEAD
from notifier.broker.message import Message
from notifier.core import frames
from notifier.core.errors import BrokerUnavailable, Unavailable
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import now as utc_now
from notifier.settings import Settings
from notifier.signals import emit, notification_dispatched
from worker.measures import Measures
from worker.published import PublishedMarks

log = logging.getLogger(__name__)


class Publishes(Protocol):
    """What the dispatcher needs of a publisher."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish all, or raise BrokerUnavailable."""


class Dispatcher:
    """Dispatches what is accepted, in the order of acceptance.

    Args:
        database: where it waits, and where the inboxes are.
        publisher: carries the committed changes to the gateways.
        settings: batch and chunk sizes, attempts and delays.
        clock: the present, in UTC.
        jitter: a number from 0 to 1, a new one at each call.
        measures: hears what is done.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publishes,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = utc_now,
        jitter: Callable[[], float] = random.random,
        measures: Measures | None = None,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._settings = settings
        self._clock = clock
        self._jitter = jitter
        self._measures = measures or Measures()
        self._published = PublishedMarks(database)
        self._beside: ThreadPoolExecutor | None = None  # one thread, made when there is a broadcast
        self._going: tuple[Future[None], Dispatched] | None = None  # what it publishes now

    def drain(self, woken_at: datetime | None = None) -> int:
        """Dispatch every single notification that waits; return how many were taken on.

        `woken_at`: when the wake-up was sent that asks for it; None: there was none.
        Raises DatabaseUnavailable; what was committed before has been published.
        """
        total, more = 0, True
        while more:
            taken, more = self._batch(woken_at)
            total += taken
        return total

    def _batch(self, woken_at: datetime | None) -> tuple[int, bool]:
        """Take on one batch; return its size, and whether something was left waiting behind it.

        What is accepted while it runs has a wake-up of its own.
        """
        limit = self._settings.batch_size
        try:
            done = self._transaction(
                partial(dispatch.dispatch_batch, limit=limit, now=self._clock(), woken_at=woken_at)
            )
        except Unavailable:
            raise
        except Exception:
            # One bad row must not hold up its neighbours: each gets a transaction of its own.
            log.exception("a batch failed, trying its rows one by one")
            return self._one_by_one(limit, woken_at)
        return len(done.ids), done.more

    def _one_by_one(self, limit: int, woken_at: datetime | None) -> tuple[int, bool]:
        with self._database.read() as connection:
            numbers = dispatch.due_numbers(connection, limit=limit, now=self._clock())
        for number in numbers:
            work = partial(dispatch.dispatch_one, number=number, now=self._clock(), woken_at=woken_at)
            self._guarded(number, work)
        return len(numbers), len(numbers) == limit  # each is dispatched, postponed or dead now

    def chunks(self, seconds: float, woken_at: datetime | None = None) -> bool:
        """Dispatch chunks for so long, and one at least; whether more wait. All of them are published then.

        `woken_at` as for `drain`. Raises DatabaseUnavailable.
        """
        until = time.monotonic() + seconds
        try:
            while self._chunk(woken_at):
                if time.monotonic() >= until:
                    return True
        finally:
            self._settle()
        return False

    def _chunk(self, woken_at: datetime | None) -> bool:
        """Dispatch the next chunk of the oldest bulk notification that is due; whether more wait.

        Before it goes what was accepted earlier for several users, and after its last chunk what had
        to wait for it.
        """
        waiting = self.waiting()
        if waiting.singles:
            self.drain(woken_at)
        if waiting.bulk is None:
            return False
        work = partial(
            dispatch.dispatch_chunk,
            id=waiting.bulk,
            size=self._settings.chunk_size,
            now=self._clock(),
            woken_at=woken_at,
        )
        done = self._guarded(waiting.bulk, work, beside=True)
        if done is not None and done.more:
            return True
        self.drain(woken_at)
        return self.stalled()

    def stalled(self) -> bool:
        """Whether bulk notifications wait. Raises DatabaseUnavailable."""
        return self.waiting().bulk is not None

    def waiting(self) -> dispatch.Waiting:
        """Return what is due. Raises DatabaseUnavailable."""
        with self._database.read() as connection:
            return dispatch.waiting(connection, now=self._clock())

    def _guarded(
        self, key: int | str, work: Callable[[Connection], Dispatched], *, beside: bool = False
    ) -> Dispatched | None:
        """Run `work`; when it fails, keep the error with its row and let it wait."""
        try:
            return self._transaction(work, beside=beside)
        except Unavailable:
            raise
        except Exception as exc:  # noqa: BLE001  whatever it is, it is this row's
            self._postpone(key, exc)
            return None

    def _postpone(self, key: int | str, exc: Exception) -> None:
        settings = self._settings
        error = f"{type(exc).__name__}: {exc}"

        def store(connection: Connection) -> tuple[str, str]:
            id, attempts = failures.failing(connection, key)
            # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
            longest = min(settings.retry_max, settings.retry_base * 2.0**attempts)
            delay = timedelta(seconds=longest * (0.5 + self._jitter() / 2))
            return id, failures.postpone(
                connection, key, error, now=self._clock(), delay=delay, max_attempts=settings.max_attempts
            )

        id, state = self._database.run(store)
        self._measures.failed(dead=state == DEAD)
        level = logging.ERROR if state == DEAD else logging.WARNING
        log.log(level, "dispatch failed: notification=%s state=%s error=%s", id, state, error)

    def _transaction(self, work: Callable[[Connection], Dispatched], *, beside: bool = False) -> Dispatched:
        """Commit `work`, then publish it: before this returns, or `beside` what follows."""
        done = self._database.run(work)
        if not done.ids:
            return done  # nothing waited, so nobody has to wait for what is published beside
        committed = self._clock()
        _trace("dispatched", done)
        self._measures.dispatched(done, committed.timestamp())
        self._settle()
        if beside:
            self._beside = self._beside or ThreadPoolExecutor(1, thread_name_prefix="notifier-publisher")
            self._going = self._beside.submit(self._publish, done), done
        else:
            self._publish(done)
            self._tell(done)
        return done

    def _settle(self) -> None:
        """Wait until what is published beside is out: what was committed later comes later."""
        if self._going is not None:
            (publishing, done), self._going = self._going, None
            publishing.result()
            self._tell(done)

    def _tell(self, done: Dispatched) -> None:
        for id in done.finished:
            emit(notification_dispatched, self, id=id)

    def _publish(self, done: Dispatched) -> None:
        if not done.entries:
            return
        began = time.monotonic()
        messages = [
            Message(user_id, entry.seq, frames.event(user_id, entry)) for user_id, entry in done.entries
        ]
        try:
            self._publisher.publish(messages)
        except Exception as exc:  # whatever it is, the commit stands
            self._measures.unpublished(len(messages))
            strange = not isinstance(exc, BrokerUnavailable)
            log.warning(
                "committed, not published; gateways will fetch it: notifications=%s events=%d error=%s",
                ",".join(done.ids[:5]),
                len(messages),
                exc,
                exc_info=strange,
            )
        else:
            self._measures.published(time.monotonic() - began)
            self._published.add(done.ids, self._clock())
            _trace("published", done)


def _trace(step: str, done: Dispatched) -> None:
    if log.isEnabledFor(logging.DEBUG):
        for user_id, entry in done.entries:
            log.debug("%s: notification=%s user=%s seq=%d", step, entry.id, user_id, entry.seq)
