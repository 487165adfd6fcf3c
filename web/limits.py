"""How often a key, a user or an address may do something: sliding windows in this process's memory.

The headers are those of the IETF draft "RateLimit header fields for HTTP"
(draft-ietf-httpapi-ratelimit-headers-10): what the policy is, and what is left of it.
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
MAX_NAMES = 10_000  # counted at once; the one that was not heard of for longest is forgotten


@dataclass(slots=True)
class _Count:
    window: int
    now: int = 0  # in this window
    before: int = 0  # in the one before it


class SlidingWindow:
    """Counts by name: what happened in this window, and the share of the one before it that is still near.

    Args:
        limit: of one name within a window.
        clock: monotonic seconds.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str) -> bool:
        """Count one, unless the limit is reached; whether it was counted."""
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
        """Return how many more may come now."""
        with self._lock:
            count, share = self._look(name)
        return max(0, math.floor(self.limit - count.now - count.before * share))

    def seconds(self) -> int:
        """Return in how many seconds the window moves on."""
        return max(1, math.ceil(WINDOW - self._clock() % WINDOW))

    def wait(self, name: str) -> int:
        """Return in how many seconds one more may come: a window at most."""
        with self._lock:
            count, share = self._look(name)
        room = self.limit - 1 - count.now
        if room >= 0:  # what the window before it holds against it becomes less
            wait = WINDOW * (share - room / max(1, count.before))
        else:
            wait = WINDOW * (share + 1 - (self.limit - 1) / count.now)
        return min(WINDOW, max(1, math.ceil(wait)))

    def _look(self, name: str) -> tuple[_Count, float]:
        """Return the count as of now, and how much of the window before counts. With the lock held."""
        window, passed = divmod(self._clock(), WINDOW)
        count = self._counts.get(name)
        if count is None or count.window < window - 1:
            count = _Count(int(window))
        elif count.window < window:
            count = _Count(int(window), before=count.now)
        return count, 1 - passed / WINDOW


class CallLimit:
    """A limit that callers are told of with every answer.

    Args:
        policy: its name in the headers.
        limit: calls of one name within a minute.
        refusal: what a caller over it reads; `{limit}` is filled in.
        label: what it is counted as in the metrics.
    """

    def __init__(self, policy: str, limit: int, refusal: str, label: str) -> None:
        self._policy, self._label = policy, label
        self._refusal = refusal.format(limit=limit)
        self._window = SlidingWindow(limit)

    def take(self, name: str) -> None:
        """Count one call, and tell the caller with this answer what is left. Raises OverLimit."""
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
