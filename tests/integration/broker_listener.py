"""Helpers of the broker tests: a subscriber in a thread that keeps its messages, and raw access to the broker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import amqp

from notifier.broker import EXCHANGE, Message, Publisher, Subscriber, connect, new_gateway_id, routing_key
from notifier.settings import Settings
from tests.harness.waiting import until

SECONDS = 20.0  # a deadline, not an expectation


class Listener:
    """Runs a subscriber until closed, and keeps its messages."""

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
        """Wait until `count` messages have arrived; return (user, seq) of all."""
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
    """Yield a connected listener."""
    listener = Listener(settings, on_message)
    try:
        yield listener.connected()
    finally:
        listener.close()


@contextmanager
def publishing(settings: Settings, timeout: float = 5.0) -> Iterator[Publisher]:
    """Yield a publisher, and close it at the end."""
    publisher = Publisher(settings, timeout=timeout)
    try:
        yield publisher
    finally:
        publisher.close()


def message(user_id: str, seq: int = 1) -> Message:
    """Return a message whose body names its user."""
    return Message(user_id, seq, f'{{"to":{user_id!r},"seq":{seq}}}'.encode())


def somebody_listens(settings: Settings, user_id: str) -> bool:
    """Ask the broker itself: RabbitMQ returns a mandatory message that no queue takes."""
    if settings.file_broker:
        return (settings.var_dir / "broker" / "events" / "bindings" / routing_key(user_id)).exists()
    returned: list[object] = []
    with connect(settings) as connection, connection.channel() as channel:
        channel.events["basic_return"].add(lambda *args: returned.append(args))
        channel.basic_publish_confirm(amqp.Message(b"{}"), EXCHANGE, routing_key(user_id), mandatory=True)
    return not returned


class Undecodable(amqp.Message):  # type: ignore[misc]
    """A message with a header that RabbitMQ passes on and py-amqp cannot decode: the year 584 billion."""

    def _serialize_properties(self) -> bytes:
        return b"\x20\x00\x00\x00\x00\x0b\x01aT" + b"\xff" * 8


def publish_raw(settings: Settings, user_id: str, seqs: list[object]) -> None:
    """Publish with these seqs in the header; then a message without a body, and an undecodable one."""
    messages = [amqp.Message(b"{}", application_headers={"seq": seq}) for seq in seqs]
    messages += [amqp.Message(b"", application_headers={"seq": 1}), Undecodable(b"{}")]
    with connect(settings) as connection, connection.channel() as channel:
        for raw in messages:
            channel.basic_publish(raw, exchange=EXCHANGE, routing_key=routing_key(user_id))
