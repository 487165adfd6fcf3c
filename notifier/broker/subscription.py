"""Subscriptions: the types shared by the subscriber and its callers."""

import threading
from dataclasses import dataclass
from typing import Protocol

from notifier.broker.message import Message

MAX_BODY = 1 << 20  # bytes
MAX_SEQ = (1 << 63) - 1  # a bigint


class Subscription:
    """One user's subscription: a future that is settled by the subscriber's loop.

    Attributes:
        user_id: the user.
        confirmed: whether the broker has confirmed it on the present connection.
    """

    __slots__ = ("_pending", "confirmed", "user_id")

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.confirmed = False
        # Dropped once it is settled: an event takes over a kilobyte, and nearly all are settled.
        self._pending: threading.Event | None = threading.Event()

    def wait(self, timeout: float) -> bool:
        """Wait for the broker to confirm; return whether it did within `timeout` seconds.

        Without a connection it returns False at once: the subscription is made when there is one.
        """
        pending = self._pending
        if pending is not None:
            pending.wait(timeout)
        return self.confirmed

    def begin(self) -> None:
        """Begin a request, for which `wait` waits."""
        self.confirmed = False
        if self._pending is None:
            self._pending = threading.Event()

    def settle(self, confirmed: bool) -> None:
        """End the wait."""
        self.confirmed = confirmed
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.set()


@dataclass(slots=True)
class Stats:
    """Counters since the start.

    Attributes:
        messages: passed on.
        rejected: malformed ones.
        connections: made.
        batches: of subscriptions.
        failures: callbacks that raised.
    """

    messages: int = 0
    rejected: int = 0
    connections: int = 0
    batches: int = 0
    failures: int = 0

    @property
    def reconnects(self) -> int:
        """The number of reconnects."""
        return max(0, self.connections - 1)


Request = tuple[str, int]
"""A user to subscribe to, and a number that no other request of this process has."""


class Receiver(Protocol):
    """What a link calls when something happens."""

    def accept(self, user_id: str, seq: object, body: object) -> None:
        """Check an incoming message of `user_id`, and pass it on."""

    def confirm(self, requests: list[Request]) -> None:
        """Note that the broker has made these."""


class SubscribeLink(Protocol):
    """An open connection to one broker."""

    @property
    def max_requests(self) -> int:
        """The number of requests that may be added to the pending ones."""

    @property
    def busy(self) -> bool:
        """Whether requests are pending."""

    def subscribe(self, requests: list[Request]) -> None:
        """Subscribe to all, without waiting for the broker. Raises one of LinkError."""

    def unsubscribe(self, user_ids: list[str]) -> None:
        """Unsubscribe from all, without waiting. Raises one of LinkError."""

    def wait(self, timeout: float) -> None:
        """Deliver what has arrived; return after some of it, after `timeout` seconds, or when woken."""

    def close(self) -> None:
        """Close politely."""


def checked(user_id: str, seq: object, body: object) -> Message | None:
    """Return an incoming message; None if its seq is invalid, or its body is not text or too big."""
    data = _utf8(body)
    if type(seq) is not int or not 0 < seq <= MAX_SEQ or data is None:
        return None
    return Message(user_id, seq, data)


def _utf8(body: object) -> bytes | None:
    try:
        if isinstance(body, str):
            body = body.encode()
        if isinstance(body, bytes) and 0 < len(body) <= MAX_BODY:
            body.decode()
            return body
    except UnicodeError:
        pass
    return None
