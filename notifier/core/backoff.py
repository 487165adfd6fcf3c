"""Growing pauses between attempts, for everything that is tried again.

Exponential backoff with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/):
the pause before attempt n is a random number from 0 to `first * 2**n`, and `longest` at most. So
processes that lost the same server do not return to it at the same time.
"""

import random
from collections.abc import Callable

Jitter = Callable[[], float]
"""Returns a random number from 0 to 1, a new one at each call."""

# Not `random.random`: an application may seed that one, and then all its processes would pause alike.
by_chance: Jitter = random.SystemRandom().random


def ceiling(attempt: int, first: float, longest: float) -> float:
    """Return the longest possible pause after failure number `attempt` (from 0), in seconds."""
    # 2.0**1024 is an OverflowError; long before that the longest pause is reached.
    return min(longest, first * 2.0 ** min(max(attempt, 0), 64))


def full_jitter(attempt: int, first: float, longest: float, jitter: Jitter = by_chance) -> float:
    """Return the seconds to wait after `attempt` earlier failures: 0 to `ceiling`."""
    return ceiling(attempt, first, longest) * jitter()


def equal_jitter(attempt: int, first: float, longest: float, jitter: Jitter = by_chance) -> float:
    """Return at least half of `ceiling`, for what must not be tried again at once."""
    return ceiling(attempt, first, longest) * (0.5 + jitter() / 2)


class Backoff:
    """The pauses between attempts: call `next_pause` after each failure, `reset` after a success.

    Not for several threads at once.

    Args:
        first: seconds; the longest first pause.
        longest: seconds; the longest pause of all.
        jitter: see `Jitter`.
    """

    __slots__ = ("_failures", "_first", "_jitter", "_longest")

    def __init__(self, first: float, longest: float, jitter: Jitter = by_chance) -> None:
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self._failures = 0

    def next_pause(self, longest: float | None = None) -> float:
        """Return the seconds to wait now; `longest` replaces the usual one for this pause."""
        attempt, self._failures = self._failures, self._failures + 1
        return full_jitter(attempt, self._first, self._longest if longest is None else longest, self._jitter)

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._failures = 0
