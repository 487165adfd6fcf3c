"""Growing pauses between attempts, for everything that tries again.

Exponential backoff with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/):
the pause before attempt n is a random number from 0 to `first * 2**n`, and `longest` at most. So many
processes that lost the same server do not come back to it at the same moments.
"""

import random
from collections.abc import Callable

Jitter = Callable[[], float]
"""Returns a random number from 0 to 1, another one at each call."""


def ceiling(attempt: int, first: float, longest: float) -> float:
    """Return the most that the pause after `attempt` failures (0 is the first) can be, in seconds."""
    # 2.0**1024 is an OverflowError; long before that the longest pause is reached.
    return min(longest, first * 2.0 ** min(max(attempt, 0), 64))


def full_jitter(attempt: int, first: float, longest: float, jitter: Jitter = random.random) -> float:
    """Return the seconds to wait after `attempt` earlier failures: 0 to `ceiling`."""
    return ceiling(attempt, first, longest) * jitter()


def equal_jitter(attempt: int, first: float, longest: float, jitter: Jitter = random.random) -> float:
    """Return the same with half of `ceiling` for certain, for what must not be tried again at once."""
    return ceiling(attempt, first, longest) * (0.5 + jitter() / 2)


class Backoff:
    """The pauses of one thing that is tried again: `next_pause` after each failure, `reset` after a success.

    Not for several threads at once.

    Args:
        first: seconds, the most that the first pause can be.
        longest: seconds, the most that any pause can be.
        jitter: see `Jitter`.
    """

    __slots__ = ("_failures", "_first", "_jitter", "_longest")

    def __init__(self, first: float, longest: float, jitter: Jitter = random.random) -> None:
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self._failures = 0

    def next_pause(self, longest: float | None = None) -> float:
        """Return the seconds to wait now; `longest` instead of the usual one, for this pause."""
        attempt, self._failures = self._failures, self._failures + 1
        return full_jitter(attempt, self._first, self._longest if longest is None else longest, self._jitter)

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._failures = 0
