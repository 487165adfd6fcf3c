"""Subscribing over AMQP: one channel, one queue a user, made in pipelined batches.

A batch is declare + bind + consume for each user, all with no-wait, and one synchronous method
behind them (basic.qos) as the barrier: a channel's methods are carried out in order (AMQP 0-9-1,
section 4.7), so its answer confirms them all. Three round trips a user become one a batch.
"""

import itertools
import selectors
import time
from typing import Any

import amqp

from notifier.broker import wire
from notifier.broker.subscription import Receiver
from notifier.broker.topology import EXCHANGE, EXCHANGE_TYPE, BrokerOptions, queue_name, routing_key
from notifier.broker.waker import Waker

IO_TIMEOUT = 5.0  # seconds that a write, the rest of a frame, or a barrier may take
TICK = 1.0  # seconds between looks at the heartbeats
BURST = 256  # frames read before others get a turn
QUEUE_LIMIT = 10_000  # messages kept for a gateway that does not read; SQL has the older ones

_counter = itertools.count(1)


class AmqpSubscribeLink:
    """One connection, used by the subscriber's loop only. Methods raise one of LinkError."""

    def __init__(
        self, connection: wire.Connection, gateway_id: str, receiver: Receiver, waker: Waker
    ) -> None:
        self._connection = connection
        self._gateway_id = gateway_id
        self._receiver = receiver
        self._waker = waker
        self._queues: dict[str, str] = {}
        self._users: dict[str, str] = {}
        self._next_tick = time.monotonic() + TICK
        connection.sock.settimeout(IO_TIMEOUT)
        self._channel = connection.channel()
        self._channel.exchange_declare(EXCHANGE, EXCHANGE_TYPE, durable=True, auto_delete=False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection.sock, selectors.EVENT_READ)
        self._selector.register(waker, selectors.EVENT_READ, data=waker)

    @classmethod
    def open(
        cls, dialer: wire.Dialer, options: BrokerOptions, gateway_id: str, receiver: Receiver, waker: Waker
    ) -> "AmqpSubscribeLink":
        """Connect to the first broker that answers."""
        deadline = time.monotonic() + options.connect_timeout * len(options.urls)
        connection = dialer.dial(deadline, heartbeat=options.heartbeat)
        try:
            return cls(connection, gateway_id, receiver, waker)
        except BaseException:
            wire.drop(connection)
            raise

    def subscribe(self, user_ids: list[str]) -> None:
        """Make and consume a queue for each user; return when the broker has done it all."""
        channel, transport = self._channel, self._connection.transport
        transport.cork()
        for user_id in user_ids:
            # A new name each time: the broker may still hold the queue of a connection that died, or
            # be deleting the one of a moment ago, and it is exclusive.
            queue = queue_name(user_id, f"{self._gateway_id}-{next(_counter)}")
            self._queues[user_id], self._users[queue] = queue, user_id
            channel.queue_declare(
                queue, durable=False, exclusive=True, auto_delete=True, nowait=True,
                arguments={"x-max-length": QUEUE_LIMIT},
            )  # fmt: skip
            channel.queue_bind(queue, EXCHANGE, routing_key(user_id), nowait=True)
            channel.basic_consume(
                queue, consumer_tag=queue, no_ack=True, nowait=True,
                callback=self._on_message, on_cancel=self._on_cancel,
            )  # fmt: skip
        channel.send_method(amqp.spec.Basic.Qos, "lBb", (0, 0, False))
        transport.uncork()
        channel.wait(amqp.spec.Basic.QosOk, timeout=IO_TIMEOUT)
        self._tick()

    def unsubscribe(self, user_ids: list[str]) -> None:
        """Delete the queues. The broker tells of each consumer's end (`_on_cancel`)."""
        transport = self._connection.transport
        transport.cork()
        for user_id in user_ids:
            queue = self._queues.pop(user_id)
            del self._users[queue]
            self._channel.queue_delete(queue, nowait=True)
        transport.uncork()

    def wait(self, timeout: float) -> None:
        """Hand over what has come; return after some of it, after `timeout` seconds, or when woken."""
        transport = self._connection.transport
        if not transport.pending:
            left = max(0.0, min(timeout, self._next_tick - time.monotonic()))
            for key, _ in self._selector.select(left):
                if key.data is self._waker:
                    self._waker.clear()
                else:
                    transport.gather()
        for _ in range(BURST):
            if not transport.pending:
                break
            self._connection.blocking_read()
        else:
            time.sleep(0)  # a turn for the other greenlets, or threads
        self._tick()

    def close(self) -> None:
        """Close politely; the broker deletes the queues."""
        self._selector.close()
        wire.close(self._connection)

    def _tick(self) -> None:
        """Send a heartbeat if one is due; raise if the broker's are missing."""
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + TICK
            self._connection.heartbeat_tick()

    def _on_message(self, message: Any) -> None:
        user_id = self._users.get(message.delivery_info["consumer_tag"])
        if user_id is not None:  # None: unsubscribed a moment ago
            headers = message.properties.get("application_headers")
            seq = headers.get("seq") if isinstance(headers, dict) else None
            self._receiver.accept(user_id, seq, message.body)

    def _on_cancel(self, tag: str) -> None:
        if tag in self._users:
            raise amqp.exceptions.ConsumerCancelled(f"the broker deleted queue {tag}")
