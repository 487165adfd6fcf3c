"""How often a key may POST: a sliding window for each key, in this process's memory.

The headers are those of the IETF draft "RateLimit header fields for HTTP"
(draft-ietf-httpapi-ratelimit-headers-10): what the policy is, and what is left of it.
"""

import math
import time

from flask import Response, after_this_request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from monitoring import metrics
from notifier.core.errors import OverLimit
from notifier.core.keys import ApiKey

WINDOW = 60  # seconds
POLICY = "key"


class PostLimit:
    """Counts the POSTs of each key.

    Args:
        max_posts: POSTs of one key within a minute.
    """

    def __init__(self, max_posts: int) -> None:
        self._item: RateLimitItem = RateLimitItemPerMinute(max_posts)
        self._limiter: SlidingWindowCounterRateLimiter | None = None  # its storage starts a timer

    def take(self, key: ApiKey) -> None:
        """Count one POST, and tell the caller with this answer what is left. Raises OverLimit."""
        if self._limiter is None:
            self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        taken = self._limiter.hit(self._item, key.secret)
        window = self._limiter.get_window_stats(self._item, key.secret)
        seconds = max(1, math.ceil(window.reset_time - time.time()))

        @after_this_request
        def tell(response: Response) -> Response:
            response.headers["RateLimit-Policy"] = f'"{POLICY}";q={self._item.amount};w={WINDOW}'
            response.headers["RateLimit"] = f'"{POLICY}";r={max(0, window.remaining)};t={seconds}'
            return response

        if not taken:
            metrics.REFUSED["post"].inc()
            raise OverLimit(f"this key may POST {self._item.amount} times a minute", seconds)
