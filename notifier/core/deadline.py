"""The deadline of a call: however many transactions and waits it consists of, it ends in time.

It belongs to the caller (a thread or a greenlet), and work that the caller does for others is bound by it.
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
    """Give what is done inside `seconds` to end in; an earlier deadline around it stays in force."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)
