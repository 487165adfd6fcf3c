"""A worker's timer: a thread beside the tasks that does what is due, by monotonic time.

Instead of Celery beat: docs/adr/0028. It never asks the wall clock, so one that is wrong, or jumps, delays
nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from notifier.core.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

RETRY = 1.0  # seconds until a chore that failed is tried again

#: Does its work, and returns the seconds from its beginning until it is due again.
Chore = Callable[[], float]


class Timer:
    """Runs chores one after the other in a thread of its own; whatever one of them raises stops nothing.

    Args:
        chores: each is due at once after `start`.
        clock: monotonic seconds.
    """

    def __init__(self, chores: Sequence[Chore], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._chores = chores
        self._clock = clock
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._away = False  # it is said once that the database is

    def start(self) -> None:
        """Begin; everything is due at once."""
        self.stop()
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stopped,), name="notifier-timer", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Begin no further chore, and wait `timeout` seconds at most for the one that is under way."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None

    def _run(self, stopped: threading.Event) -> None:
        due = [self._clock()] * len(self._chores)
        while True:
            for place, chore in enumerate(self._chores):
                if stopped.is_set():
                    return
                began = self._clock()
                if began >= due[place]:
                    due[place] = began + self._guarded(chore)
            stopped.wait(max(0.0, min(due) - self._clock()))

    def _guarded(self, chore: Chore) -> float:
        try:
            pause = chore()
        except DatabaseUnavailable as exc:
            if not self._away:
                log.warning("nothing is swept until the database answers: error=%s", exc)
            self._away = True
            return RETRY
        except Exception:
            log.exception("a chore of the timer failed; it is tried again in %g s", RETRY)
            return RETRY
        if self._away:
            log.warning("the database answers: sweeping again")
        self._away = False
        return pause
