"""A worker's timer: a thread beside the tasks that does what is due, by monotonic time.

It replaces Celery beat: docs/adr/0028. It does not use the wall clock, so a clock that is wrong or jumps does
not delay it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from notifier.core.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

RETRY = 1.0  # seconds until a chore that failed is tried again

#: Does its work, and returns the seconds from its start until it is due again.
Chore = Callable[[], float]


class Timer:
    """Runs chores one after the other in its own thread; an exception of one does not stop the others.

    Args:
        chores: each is due at once after `start`.
        clock: monotonic seconds.
    """

    def __init__(self, chores: Sequence[Chore], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._chores = chores
        self._clock = clock
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._away = False  # whether the outage of the database was logged

    def start(self) -> None:
        """Start; every chore is due at once."""
        self.stop()
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stopped,), name="notifier-timer", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Start no further chore, and wait `timeout` seconds at most for a running one."""
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
                log.warning("no sweeps until the database answers: error=%s", exc)
            self._away = True
            return RETRY
        except Exception:
            log.exception("a chore of the timer failed; it is tried again in %g s", RETRY)
            return RETRY
        if self._away:
            log.warning("the database answers: sweeping again")
        self._away = False
        return pause
