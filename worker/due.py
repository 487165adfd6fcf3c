"""Handle due times: dispatch scheduled notifications, expire others, and write entries that logs lack."""

import logging
from collections.abc import Callable
from dataclasses import replace

from models.store import due, expiry
from notifier.core.errors import BrokerUnavailable
from notifier.outbox.engine import Database
from worker.dispatcher import Dispatcher

INTERVAL = 1.0  # seconds between two checks at most
AT_ONCE = 1_000  # notifications of one transaction
TELL_FOR = 0.3  # seconds for which logs are told; what is due waits for it

log = logging.getLogger(__name__)


class DueChore:
    """Checks due times by the database's clock. Several workers share the work.

    Args:
        dispatcher: not the one that the tasks use; they run at the same time.
        wake: enqueues a chunk of the bulk notification with this id.
    """

    def __init__(self, dispatcher: Dispatcher, database: Database, wake: Callable[[str], None]) -> None:
        self._dispatcher = dispatcher
        self._database = database
        self._wake = wake

    def __call__(self) -> float:
        """Handle what is due; return the seconds until the next check. Raises DatabaseUnavailable."""
        with self._database.read() as connection:
            found = due.due(connection)
        if found.expiring is not None and found.expiring <= 0:
            self._expire()
            found = replace(found, untold=True)
        # In turn: a broadcast that is taken back, or many that are due, do not hold up the others.
        more = found.due is not None and found.due <= 0 and self._take_up()
        if found.untold:
            more = self._dispatcher.follow_up(TELL_FOR) or more
        if more:
            return 0.0
        ahead = [seconds for seconds in (found.due, found.expiring) if seconds is not None and seconds > 0]
        return min(INTERVAL, *ahead, INTERVAL)

    def _expire(self) -> None:
        while self._database.run(lambda connection: expiry.expire(connection, AT_ONCE)) == AT_ONCE:
            pass

    def _take_up(self) -> bool:
        """Dispatch a batch of what is due: the first need not wait for the last; whether more is due."""
        taken = self._database.run(lambda connection: due.take_up(connection, AT_ONCE))
        if taken:
            self._dispatcher.drain()
        for id, bulk in taken:
            if bulk:
                self._wake_chunk(id)
        return len(taken) == AT_ONCE

    def _wake_chunk(self, id: str) -> None:
        try:
            self._wake(id)
        except (BrokerUnavailable, OSError, ConnectionError) as exc:
            log.warning("wake-up failed, the next sweep tries again: notification=%s error=%s", id, exc)
