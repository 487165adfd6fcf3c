"""Subscribe over AMQP: one connection, one queue for each user, declared in pipelined batches.

A batch is declare + bind + consume for each user, all with no-wait, and a barrier behind them
(`amqp_connection.Channel.barrier`): three round trips for each user become one for each batch. RabbitMQ
handles a channel's methods one by one and takes 2-4 ms for each declare, most of it waiting; so the
users are spread over several channels, each with its own barriers, and only the users of a batch wait
for its barrier (RabbitMQ 3.10, 2 cores: 220 subscriptions/s with one channel, 600-900 with 16).
"""

import selectors
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import amqp

from notifier.broker import amqp_connection
from notifier.broker.amqp_frames import frame_handler
from notifier.broker.bundles import BEFORE, unbundle
from notifier.broker.message import PROBE
from notifier.broker.self_pipe import SelfPipe
from notifier.broker.subscription import MAX_BODY, Receiver, Request
from notifier.broker.topology import EXCHANGE, EXCHANGE_TYPE, BrokerOptions, queue_name, routing_key

IO_TIMEOUT = 5.0  # seconds that a write, or the rest of a frame, may take
BARRIER_TIMEOUT = 10.0  # seconds that the broker may take for pending subscriptions
TICK = 1.0  # seconds between checks of the heartbeats
BURST = 256  # frames read before others get a turn
LANES = 16  # channels
UNCONFIRMED = 512  # pending subscriptions at most
QUEUE_LIMIT = 10_000  # messages kept for a gateway that does not read; SQL has the older ones


class AmqpSubscribeLink:
    """One connection, used by the subscriber's loop only. Methods raise one of LinkError."""

    def __init__(
        self, connection: amqp_connection.Connection, gateway_id: str, receiver: Receiver, waker: SelfPipe
    ) -> None:
        self._connection = connection
        self._gateway_id = gateway_id
        self._receiver = receiver
        self._waker = waker
        self._queues: dict[str, tuple[amqp_connection.Channel, str]] = {}
        self._users: dict[str, str] = {}  # by queue, which is the consumer's tag as well
        self._unconfirmed = 0
        self._progress = time.monotonic()
        self._next_tick = time.monotonic() + TICK
        connection.sock.settimeout(IO_TIMEOUT)
        self._lanes: list[amqp_connection.Channel] = [connection.channel() for _ in range(LANES)]
        self._lanes[0].exchange_declare(EXCHANGE, EXCHANGE_TYPE, durable=True, auto_delete=False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection.sock, selectors.EVENT_READ)
        self._selector.register(waker, selectors.EVENT_READ, data=waker)

    @classmethod
    def open(
        cls,
        dialer: amqp_connection.Dialer,
        options: BrokerOptions,
        gateway_id: str,
        receiver: Receiver,
        waker: SelfPipe,
    ) -> Self:
        """Connect to the first broker that answers."""
        deadline = time.monotonic() + options.connect_timeout * len(options.urls)
        connection = dialer.dial(deadline, heartbeat=options.heartbeat, frame_handler=frame_handler(MAX_BODY))
        try:
            return cls(connection, gateway_id, receiver, waker)
        except BaseException:
            amqp_connection.drop(connection)
            raise

    @property
    def max_requests(self) -> int:
        """The number of subscriptions that may be added to the pending ones."""
        return UNCONFIRMED - self._unconfirmed

    @property
    def busy(self) -> bool:
        """Whether subscriptions are pending."""
        return self._unconfirmed > 0

    def subscribe(self, requests: list[Request]) -> None:
        """Declare and consume a queue for each; the receiver is called when the broker has done it."""
        if not self._unconfirmed:
            self._progress = time.monotonic()
        self._unconfirmed += len(requests)
        transport = self._connection.transport
        transport.cork()
        for lane, share in self._shares(requests):
            for request in share:
                self._consume(lane, request)
            lane.barrier(partial(self._confirm, share))
        transport.uncork()

    def unsubscribe(self, user_ids: list[str]) -> None:
        """Delete the queues. The broker reports each consumer's end (`_on_cancel`)."""
        transport = self._connection.transport
        transport.cork()
        for user_id in user_ids:
            lane, queue = self._queues.pop(user_id)
            del self._users[queue]
            lane.queue_delete(queue, nowait=True)
        transport.uncork()

    def wait(self, timeout: float) -> None:
        """Deliver what has arrived; return after some of it, after `timeout` seconds, or when woken."""
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
        if time.monotonic() >= self._next_tick:
            self._tick()

    def close(self) -> None:
        """Close politely; the broker deletes the queues."""
        self._selector.close()
        amqp_connection.close(self._connection)

    def _shares(self, requests: list[Request]) -> Iterator[tuple[amqp_connection.Channel, list[Request]]]:
        """Distribute the requests, first to the channels with the least to do."""
        lanes = sorted(self._lanes, key=lambda lane: lane.unanswered)
        return zip(lanes, _deal(requests, len(lanes)), strict=False)

    def _consume(self, lane: amqp_connection.Channel, request: Request) -> None:
        user_id, number = request
        # A new name each time: the broker may still hold the queue of a connection that died, or be
        # deleting an earlier one, and queues are exclusive.
        queue = queue_name(user_id, f"{self._gateway_id}-{number}")
        self._queues[user_id], self._users[queue] = (lane, queue), user_id
        limit = {"x-max-length": QUEUE_LIMIT}
        lane.queue_declare(queue, exclusive=True, auto_delete=True, nowait=True, arguments=limit)
        lane.queue_bind(queue, EXCHANGE, routing_key(user_id), nowait=True)
        lane.basic_consume(
            queue,
            consumer_tag=queue,
            no_ack=True,
            nowait=True,
            callback=self._on_message,
            on_cancel=self._on_cancel,
        )

    def _confirm(self, requests: list[Request]) -> None:
        self._unconfirmed -= len(requests)
        self._progress = time.monotonic()
        self._receiver.confirm(requests)

    def _tick(self) -> None:
        """Send a heartbeat if one is due; raise if the broker's, or its answers, are missing."""
        now = time.monotonic()
        self._next_tick = now + TICK
        self._connection.heartbeat_tick()
        if self._unconfirmed and now - self._progress > BARRIER_TIMEOUT:
            raise TimeoutError("the broker does not confirm subscriptions")

    def _on_message(self, message: Any) -> None:
        user_id = self._users.get(message.delivery_info["consumer_tag"])
        if user_id is not None:  # None: unsubscribed a moment ago
            self._receive(user_id, message)

    def _receive(self, user_id: str, message: Any) -> None:
        headers = message.properties.get("application_headers")
        if isinstance(headers, dict) and PROBE in headers:
            return
        seq = headers.get("seq") if isinstance(headers, dict) else None
        if isinstance(headers, dict) and BEFORE in headers:
            for its_seq, frame in unbundle(seq, headers[BEFORE]):
                self._receiver.accept(user_id, its_seq, frame)
        self._receiver.accept(user_id, seq, message.body)

    def _on_cancel(self, tag: str) -> None:
        if tag in self._users:
            raise amqp.exceptions.ConsumerCancelled(f"the broker deleted queue {tag}")


def _deal(requests: list[Request], hands: int) -> list[list[Request]]:
    """Return the requests in at most `hands` parts of about the same size, none empty."""
    return [requests[i::hands] for i in range(min(hands, len(requests)))]
