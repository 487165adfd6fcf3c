"""The deadline of a call, which bounds all its transactions and waits together.

It belongs to the caller (a thread or a greenlet), and also bounds work that the caller does for others.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

NEVER = float("inf")

_deadline: ContextVar[float] = ContextVar("notifier.deadline", default=NEVER)  # on the monotonic clock


def seconds_left() -> float:
    """Return the seconds until this call's deadline; infinite when it has none, 0 when it has passed."""
    return max(0.0, _deadline.get() - time.monotonic())


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit the block to `seconds`; an earlier outer deadline stays in force."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)
