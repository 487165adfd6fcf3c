"""Subscribe over AMQP with one queue for the gateway, and a binding for each of its users.

Meant for many users on one broker: a binding takes a fraction of a queue's time and memory, and no file
handles (docs/benchmarks.md; docs/adr/0025).
"""

import zlib
from collections.abc import Iterator
from typing import Any

import amqp

from notifier.broker import amqp_connection
from notifier.broker.amqp_subscribe import AmqpSubscribeLink
from notifier.broker.self_pipe import SelfPipe
from notifier.broker.subscription import Receiver, Request
from notifier.broker.topology import EXCHANGE, gateway_queue, routing_key

QUEUE_LIMIT = 100_000  # messages kept for a gateway that does not read; SQL has the older ones


class AmqpOneQueueLink(AmqpSubscribeLink):
    """The same connection, with a single queue; used by the subscriber's loop only."""

    def __init__(
        self, connection: amqp_connection.Connection, gateway_id: str, receiver: Receiver, waker: SelfPipe
    ) -> None:
        super().__init__(connection, gateway_id, receiver, waker)
        self._by_key: dict[str, str] = {}
        # A new name for each connection: the broker may still hold the queue of the one that died.
        self._queue = gateway_queue(gateway_id)
        lane = self._lanes[0]
        lane.queue_declare(
            self._queue, exclusive=True, auto_delete=True, arguments={"x-max-length": QUEUE_LIMIT}
        )
        lane.basic_consume(
            self._queue,
            consumer_tag=self._queue,
            no_ack=True,
            callback=self._on_message,
            on_cancel=self._on_cancel,
        )

    def unsubscribe(self, user_ids: list[str]) -> None:
        """Remove the bindings."""
        transport = self._connection.transport
        transport.cork()
        for user_id in user_ids:
            key = routing_key(user_id)
            del self._by_key[key]
            self._lane(key).unbind(self._queue, EXCHANGE, key)
        transport.uncork()

    def _shares(self, requests: list[Request]) -> Iterator[tuple[amqp_connection.Channel, list[Request]]]:
        """Group by channel; a user always has the same one, which keeps the order of its bindings."""
        shares: dict[amqp_connection.Channel, list[Request]] = {}
        for request in requests:
            shares.setdefault(self._lane(routing_key(request[0])), []).append(request)
        yield from shares.items()

    def _lane(self, key: str) -> amqp_connection.Channel:
        return self._lanes[zlib.crc32(key.encode()) % len(self._lanes)]

    def _consume(self, lane: amqp_connection.Channel, request: Request) -> None:
        user_id, _ = request
        key = routing_key(user_id)
        self._by_key[key] = user_id
        lane.queue_bind(self._queue, EXCHANGE, key, nowait=True)

    def _on_message(self, message: Any) -> None:
        user_id = self._by_key.get(message.delivery_info["routing_key"])
        if user_id is not None:  # None: unsubscribed a moment ago
            self._receive(user_id, message)

    def _on_cancel(self, tag: str) -> None:
        raise amqp.exceptions.ConsumerCancelled(f"the broker deleted queue {tag}")
