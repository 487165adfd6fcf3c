"""Publish what a dispatch has committed, at once or during the next dispatch.

It never fails: the commit is done, and the gateways fetch from SQL what the broker does not accept.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Protocol

from models.store.fan_out import Dispatched
from notifier.broker.message import Message
from notifier.core import frames
from notifier.core.errors import BrokerUnavailable
from notifier.core.log_throttle import LogThrottle
from notifier.signals import emit, notification_dispatched
from worker.measures import Measures
from worker.published import PublishedMarks

log = logging.getLogger(__name__)
throttled = LogThrottle(log)


class Publishes(Protocol):
    """What the dispatcher needs of a publisher."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish all, or raise BrokerUnavailable."""


class Publishing:
    """Passes committed entries to a publisher, in the order of their commits.

    Args:
        publisher: sends them to the gateways.
        marks: records when the broker accepted them.
        measures: counts what is done.
        clock: the present, in UTC.
    """

    def __init__(
        self, publisher: Publishes, marks: PublishedMarks, measures: Measures, clock: Callable[[], datetime]
    ) -> None:
        self._publisher = publisher
        self._marks = marks
        self._measures = measures
        self._clock = clock
        self._beside: ThreadPoolExecutor | None = None  # one thread, made when there is a broadcast
        self._going: tuple[Future[None], Dispatched] | None = None  # what it publishes now

    def committed(self, done: Dispatched, *, beside: bool) -> None:
        """Publish entries before returning, or `beside` the work that follows."""
        trace("dispatched", done)
        self.settle()
        if beside:
            self._beside = self._beside or ThreadPoolExecutor(1, thread_name_prefix="notifier-publisher")
            self._going = self._beside.submit(self.publish, done), done
        else:
            self.publish(done)
            self._tell(done)

    def settle(self) -> None:
        """Wait until entries published beside other work are out, to keep the order of commits."""
        if self._going is not None:
            (publishing, done), self._going = self._going, None
            publishing.result()
            self._tell(done)

    def _tell(self, done: Dispatched) -> None:
        for id in done.finished:
            emit(notification_dispatched, self, id=id)

    def publish(self, done: Dispatched) -> None:
        """Publish the entries of one transaction."""
        if not done.entries:
            return
        began = time.monotonic()
        messages = [
            Message(user_id, entry.seq, frames.event(user_id, entry)) for user_id, entry in done.entries
        ]
        try:
            self._publisher.publish(messages)
        except Exception as exc:  # noqa: BLE001  any error: the commit is durable
            self._measures.unpublished(len(messages))
            strange = not isinstance(exc, BrokerUnavailable)
            throttled.warning(
                "committed, not published; gateways will fetch it: notifications=%s events=%d error=%s",
                ",".join(done.ids[:5]),
                len(messages),
                exc,
                exc_info=strange,
            )
        else:
            self._measures.published(time.monotonic() - began)
            self._marks.add(done.ids, self._clock())
            trace("published", done)


def trace(step: str, done: Dispatched) -> None:
    """Log each entry, to follow one notification."""
    if log.isEnabledFor(logging.DEBUG):
        for user_id, entry in done.entries:
            log.debug("%s: notification=%s user=%s seq=%d", step, entry.id, user_id, entry.seq)
