"""Deadlines of all sockets, in one timer wheel: a socket costs no timer of its own.

A deadline that moves later, as with each frame heard, moves nothing here: when the wheel comes to the old
place, it looks at the new one.
"""

import time
from collections.abc import Callable
from typing import Protocol

TICK = 0.1  # seconds; a deadline is at most so late
NOWHERE = 1 << 62
NEVER = float("inf")


class Timed(Protocol):
    """What has a deadline.

    Attributes:
        due: when, in monotonic seconds; NEVER: it has none.
        filed: kept by Deadlines; NOWHERE at first.
    """

    due: float
    filed: int

    def wake(self) -> None:
        """The deadline has passed; must not block."""


class Deadlines:
    """The wheel.

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
        """Keep nothing of it."""
        if timed.filed != NOWHERE:
            self._ticks.get(timed.filed, set()).discard(timed)
            timed.filed = NOWHERE

    def advance(self) -> None:
        """Wake those whose deadline has passed."""
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
