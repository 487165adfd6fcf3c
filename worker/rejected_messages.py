"""Keep rejected messages in SQL, where an operator finds them; a failure to keep one is only logged."""

import logging
import time
from collections.abc import Callable
from typing import Any

from models.store import rejected
from notifier.core.errors import DatabaseUnavailable
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from notifier.signals import message_rejected

PER_SECOND = 20  # messages; the beginning of a flood is enough, and each is a transaction

log = logging.getLogger(__name__)
throttled = LogThrottle(log)


class RejectedMessages:
    """Keeps rejected tasks, for one process.

    Args:
        database: returns the database, at each message, since a forked process has its own.
        clock: monotonic seconds.
    """

    def __init__(self, database: Callable[[], Database], clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._second = 0
        self._left = PER_SECOND

    def listen(self) -> None:
        """Keep what is rejected from now on."""
        message_rejected.connect(self.keep)

    def keep(
        self,
        _sender: object,
        *,
        what: str,
        reason: str = "",
        headers: Any = None,
        content_type: Any = None,
        body: bytes = b"",
    ) -> None:
        """Keep a rejected task; when that fails, it is a line in the log."""
        if what != "task" or not self._allowed():
            return
        try:
            id = self._database().run(
                lambda connection: rejected.keep(
                    connection,
                    reason=reason,
                    headers=headers,
                    content_type=content_type,
                    body=body,
                    now=now(),
                )
            )
        except DatabaseUnavailable as exc:
            throttled.warning("rejected, but not kept: reason=%s error=%s", reason, exc)
            return
        log.info("rejected message kept: id=%s", id)

    def _allowed(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second, self._left = second, PER_SECOND
        self._left -= 1
        if self._left == -1:
            log.warning("more than %d messages rejected in a second: the others are only counted", PER_SECOND)
        return self._left >= 0
