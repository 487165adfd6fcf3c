"""Limit frequent log lines to one of a kind in a second, with the number of those left out."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

INTERVAL = 1.0  # seconds between two lines of one kind, at least


class LogThrottle:
    """A logger with limited lines. Safe to call from any thread.

    The kind of a line is its text before the arguments are put in. The next line of a kind
    has the number of those left out.

    Args:
        logger: where the lines go.
        interval: seconds between two lines of one kind.
        clock: monotonic seconds.
    """

    def __init__(
        self, logger: logging.Logger, interval: float = INTERVAL, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._interval = interval
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[str, tuple[float, int]] = {}  # when the last line was, and how many were left out

    def warning(self, message: str, *args: object, **options: Any) -> None:
        """Log a warning, unless one of its kind has just been logged."""
        self.log(logging.WARNING, message, *args, **options)

    def error(self, message: str, *args: object, **options: Any) -> None:
        """Log an error, unless one of its kind has just been logged."""
        self.log(logging.ERROR, message, *args, **options)

    def log(self, level: int, message: str, *args: object, **options: Any) -> None:
        """Log a line, unless one of its kind was logged just now; `options` as for `Logger.log`."""
        left_out = self._left_out(message)
        if left_out is None:
            return
        if left_out:
            message, args = f"{message} (and %d more like this)", (*args, left_out)
        self._logger.log(level, message, *args, **options)

    def _left_out(self, kind: str) -> int | None:
        """Return the number of lines of this kind left out since the last one; None: leave this one out."""
        now = self._clock()
        with self._lock:
            last, left_out = self._kinds.get(kind, (float("-inf"), 0))
            if now - last < self._interval:
                self._kinds[kind] = last, left_out + 1
                return None
            self._kinds[kind] = now, 0
        return left_out
