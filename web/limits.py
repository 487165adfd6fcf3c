"""Limits for the calls of a key, a user or an address: sliding windows in this process's memory.

The headers are those of the IETF draft "RateLimit header fields for HTTP"
(draft-ietf-httpapi-ratelimit-headers-10): the policy, and what is left of it.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, after_this_request

from monitoring import metrics
from notifier.core.errors import OverLimit

WINDOW = 60  # seconds
MAX_NAMES = 10_000  # names counted at a time; the one unused for longest is forgotten


@dataclass(slots=True)
class _Count:
    window: int
    now: int = 0  # in this window
    before: int = 0  # in the one before it


class SlidingWindow:
    """Counts by name: this window's calls, and a share of the window before it.

    Args:
        limit: for one name within a window.
        clock: monotonic seconds.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str) -> bool:
        """Count a call unless the limit is reached; return whether it was counted."""
        with self._lock:
            count, share = self._look(name)
            if count.before * share + count.now + 1 > self.limit:
                return False
            count.now += 1
            self._counts[name] = count
            self._counts.move_to_end(name)
            if len(self._counts) > MAX_NAMES:
                self._counts.popitem(last=False)
            return True

    def left(self, name: str) -> int:
        """Return how many more calls are allowed now."""
        with self._lock:
            count, share = self._look(name)
        return max(0, math.floor(self.limit - count.now - count.before * share))

    def seconds(self) -> int:
        """Return the seconds until the next window."""
        return max(1, math.ceil(WINDOW - self._clock() % WINDOW))

    def wait(self, name: str) -> int:
        """Return the seconds until one more call is allowed, at most a window."""
        with self._lock:
            count, share = self._look(name)
        room = self.limit - 1 - count.now
        if room >= 0:  # the share of the window before becomes smaller
            wait = WINDOW * (share - room / max(1, count.before))
        else:
            wait = WINDOW * (share + 1 - (self.limit - 1) / count.now)
        return min(WINDOW, max(1, math.ceil(wait)))

    def _look(self, name: str) -> tuple[_Count, float]:
        """Return the present count, and the share of the window before. Called with the lock held."""
        window, passed = divmod(self._clock(), WINDOW)
        count = self._counts.get(name)
        if count is None or count.window < window - 1:
            count = _Count(int(window))
        elif count.window < window:
            count = _Count(int(window), before=count.now)
        return count, 1 - passed / WINDOW


class CallLimit:
    """A limit that every answer reports in its headers.

    Args:
        policy: its name in the headers.
        limit: calls of one name within a minute.
        refusal: the error's text; `{limit}` is filled in.
        label: its label in the metrics.
    """

    def __init__(self, policy: str, limit: int, refusal: str, label: str) -> None:
        self._policy, self._label = policy, label
        self._refusal = refusal.format(limit=limit)
        self._window = SlidingWindow(limit)

    def take(self, name: str) -> None:
        """Count a call, and put what is left into the answer's headers. Raises OverLimit."""
        window = self._window
        taken = window.take(name)
        left, seconds = window.left(name), window.seconds()

        @after_this_request
        def tell(response: Response) -> Response:
            response.headers["RateLimit-Policy"] = f'"{self._policy}";q={window.limit};w={WINDOW}'
            response.headers["RateLimit"] = f'"{self._policy}";r={left};t={seconds}'
            return response

        if not taken:
            metrics.REFUSED[self._label].inc()
            raise OverLimit(self._refusal, window.wait(name))


def post_limit(limit: int) -> CallLimit:
    """Return the limit for the POSTs of an API key."""
    return CallLimit("key", limit, "this key may POST {limit} times a minute", "post")


def user_limit(limit: int) -> CallLimit:
    """Return the limit for the calls of a user."""
    return CallLimit("user", limit, "a user may call {limit} times a minute", "user")
