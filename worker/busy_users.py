"""Users whose inbox another transaction has locked: passed over for a while, so that others do not wait."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from notifier.core.backoff import ceiling

FIRST_PAUSE, MAX_PAUSE = 0.005, 1.0  # seconds before a user is tried again
SHORT = 0.04  # seconds; up to this pause a drain waits for a user, longer ones are left to a later drain
MAX_USERS = 10_000


@dataclass(slots=True)
class _Busy:
    times: int
    pause: float
    due_at: float


class BusyUsers:
    """The users that a dispatcher passes over, and when each is tried again.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._users: dict[str, _Busy] = {}

    def __bool__(self) -> bool:
        return bool(self._users)

    def all(self) -> Collection[str]:
        """Return the users that are passed over."""
        return self._users.keys()

    def add(self, users: Collection[str]) -> list[str]:
        """Pass users over, each time twice as long; return those whose pause has just become the longest."""
        now, stuck = self._clock(), []
        for user in users:
            known = self._users.get(user)
            if known is None and len(self._users) >= MAX_USERS:
                continue  # it is still passed over, by the lock itself
            times = 0 if known is None else known.times + 1
            pause = ceiling(times, FIRST_PAUSE, MAX_PAUSE)
            self._users[user] = _Busy(times, pause, now + pause)
            if known is not None and pause == MAX_PAUSE and known.pause < MAX_PAUSE:
                stuck.append(user)
        return stuck

    def remove(self, users: Collection[str]) -> None:
        """Stop passing over these users."""
        for user in users:
            self._users.pop(user, None)

    def due(self) -> list[str]:
        """Return the users to try again now."""
        now = self._clock()
        return [user for user, busy in self._users.items() if busy.due_at <= now]

    def short_pause(self) -> float | None:
        """Return the seconds until the next user with a short pause is due; None: there is none."""
        soon = [busy.due_at for busy in self._users.values() if busy.pause <= SHORT]
        return max(0.0, min(soon) - self._clock()) if soon else None
