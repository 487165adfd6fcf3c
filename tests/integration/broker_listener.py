"""A gateway's ear for the broker tests: a subscriber on a thread, and all it heard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from notifier.broker import Message, Publisher, Subscriber, new_gateway_id
from notifier.settings import Settings
from tests.harness.waiting import until

SECONDS = 20.0  # a deadline, not an expectation


class Listener:
    """Runs a subscriber until closed, and keeps what it is told."""

    def __init__(self, settings: Settings, on_message: Callable[[Message], None] | None = None) -> None:
        self.heard: list[Message] = []
        self.recoveries = 0
        self.subscriber = Subscriber(
            settings,
            gateway_id=new_gateway_id(),
            on_message=on_message or self.heard.append,
            on_recovered=self._recovered,
        )
        self._thread = threading.Thread(target=self.subscriber.run, daemon=True)
        self._thread.start()

    def connected(self) -> Self:
        until(lambda: self.subscriber.connected, SECONDS, "the subscriber connects")
        return self

    def subscribe(self, *user_ids: str) -> None:
        subscriptions = [self.subscriber.subscribe(user_id) for user_id in user_ids]
        assert all(s.wait(SECONDS) for s in subscriptions)

    def hears(self, count: int) -> list[tuple[str, int]]:
        """Wait until `count` messages came; return (user, seq) of all."""
        until(lambda: len(self.heard) >= count, SECONDS, f"{count} messages come")
        return [(m.user_id, m.seq) for m in self.heard]

    def close(self) -> None:
        self.subscriber.stop()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def _recovered(self) -> None:
        self.recoveries += 1


@contextmanager
def listening(settings: Settings, on_message: Callable[[Message], None] | None = None) -> Iterator[Listener]:
    """A connected listener."""
    listener = Listener(settings, on_message)
    try:
        yield listener.connected()
    finally:
        listener.close()


@contextmanager
def publishing(settings: Settings, timeout: float = 5.0) -> Iterator[Publisher]:
    """A publisher that is closed in the end."""
    publisher = Publisher(settings, timeout=timeout)
    try:
        yield publisher
    finally:
        publisher.close()


def message(user_id: str, seq: int = 1) -> Message:
    """A message that says whose it is."""
    return Message(user_id, seq, f'{{"to":{user_id!r},"seq":{seq}}}'.encode())
