"""Deadlines of all sockets, in one timer wheel: no socket needs a timer of its own.

A deadline that moves later, as with each received frame, changes nothing here: when the wheel reaches the old
time, it checks the new one.
"""

import time
from collections.abc import Callable
from typing import Protocol

TICK = 0.1  # seconds by which a deadline is late at most
NOWHERE = 1 << 62
NEVER = float("inf")


class Timed(Protocol):
    """An object with a deadline.

    Attributes:
        due: when, in monotonic seconds; NEVER: it has none.
        filed: kept by Deadlines; NOWHERE at first.
    """

    due: float
    filed: int

    def wake(self) -> None:
        """Called when the deadline has passed; must not block."""


class Deadlines:
    """The timer wheel.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = int(clock() / TICK)
        self._ticks: dict[int, set[Timed]] = {}

    def file(self, timed: Timed) -> None:
        """Note that `timed.due` has changed."""
        if timed.due == NEVER:
            self.forget(timed)
            return
        tick = max(self._next, int(timed.due / TICK) + 1)
        if tick < timed.filed:
            self.forget(timed)
            timed.filed = tick
            self._ticks.setdefault(tick, set()).add(timed)

    def forget(self, timed: Timed) -> None:
        """Remove it from the wheel."""
        if timed.filed != NOWHERE:
            self._ticks.get(timed.filed, set()).discard(timed)
            timed.filed = NOWHERE

    def advance(self) -> None:
        """Call `wake` of those whose deadline has passed."""
        now = self._clock()
        while self._next <= int(now / TICK):
            passed = self._ticks.pop(self._next, set())
            self._next += 1
            for timed in passed:
                timed.filed = NOWHERE
                if timed.due <= now:
                    timed.wake()
                else:
                    self.file(timed)
