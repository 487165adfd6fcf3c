"""Wake the workers for channels: a row is due. Lost ones cost two seconds; the loop looks by itself."""

import time
from collections.abc import Callable

from notifier.core.errors import BrokerUnavailable

EVERY = 0.1  # seconds between two wake-ups, at least
AFTER_FAILURE = 5.0  # seconds without any, so that a broker that is away holds up no dispatch


class ReachWaker:
    """Sends wake-ups for channels, ten in a second at most.

    Args:
        enqueue: enqueues one; may raise BrokerUnavailable or OSError.
        clock: monotonic seconds.
    """

    def __init__(self, enqueue: Callable[[], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._enqueue = enqueue
        self._clock = clock
        self._next = 0.0

    def __call__(self) -> None:
        """Wake them, unless that was done just now."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + EVERY
        try:
            self._enqueue()
        except (BrokerUnavailable, OSError):
            self._next = now + AFTER_FAILURE
