"""Publish over AMQP: one pipelined burst, one wait for the confirms."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import amqp

from notifier.broker import amqp_connection
from notifier.broker.bundles import BEFORE, MAX_BYTES, bundle
from notifier.broker.confirms import Confirms
from notifier.broker.faults import BrokerBlocked
from notifier.broker.message import PROBE, Message
from notifier.broker.topology import EXCHANGE, EXCHANGE_TYPE, BrokerOptions, gateway_queue, routing_key

WINDOW = 2_000  # unconfirmed messages, at most
TRANSIENT = 1  # delivery mode: not written to the broker's disk
TASKS_EXCHANGE = ""  # AMQP's default exchange, to which tasks are published
SEQS = 4_096  # heads of messages that are kept, 40 bytes each


class BrokerRefused(OSError):
    """The broker answered basic.nack: it could not accept a message."""


class EventMessage(amqp.Message):  # type: ignore[misc]
    """An event's message: the part before its body is encoded once for each seq.

    Encoding it took a third of publishing, and most recipients of a broadcast have one of a few seqs.
    """

    def _serialize_properties(self) -> bytes:
        before = self.properties["before"]
        return (
            _encoded({"seq": self.properties["seq"], BEFORE: before})
            if before
            else _head(self.properties["seq"])
        )


@lru_cache(SEQS)
def _head(seq: int) -> bytes:
    return _encoded({"seq": seq})


def _encoded(headers: dict[str, Any]) -> bytes:
    plain = amqp.Message(
        b"", content_type="application/json", delivery_mode=TRANSIENT, application_headers=headers
    )
    head: bytes = plain._serialize_properties()  # noqa: SLF001
    return head


class AmqpPublishLink:
    """One connection with one channel in confirm mode, and the exchange declared."""

    def __init__(self, connection: amqp_connection.Connection, timeout: float) -> None:
        self._connection = connection
        self._blocked = False
        self._proven = False  # whether the broker has confirmed a message of this connection
        self._questions: amqp_connection.Channel | None = None
        connection.on_blocked = self._on_blocked
        connection.on_unblocked = self._on_unblocked
        connection.sock.settimeout(timeout)
        self._channel = connection.channel()
        self._max_header = min(MAX_BYTES, (connection.frame_max or 2 * MAX_BYTES) // 2)
        self._channel.exchange_declare(EXCHANGE, EXCHANGE_TYPE, durable=True, auto_delete=False)
        self._channel.confirm_select()
        self._confirms = Confirms()
        self._channel.events["basic_ack"].add(self._confirms.ack)
        self._channel.events["basic_nack"].add(self._confirms.nack)

    @classmethod
    def opener(cls, options: BrokerOptions) -> Callable[[float], "AmqpPublishLink"]:
        """Return a function that opens a link until a deadline (monotonic seconds)."""
        # No heartbeat, since nothing reads between two publishes; the kernel's keepalive replaces it.
        dialer = amqp_connection.Dialer(options, "notifier publisher")

        def opened(deadline: float) -> "AmqpPublishLink":
            connection = dialer.dial(deadline)
            try:
                return cls(connection, max(0.1, deadline - time.monotonic()))
            except BaseException:
                amqp_connection.drop(connection)
                raise

        return opened

    def send(self, messages: Sequence[Message], deadline: float) -> None:
        """Publish all, then wait for the confirms. Raises one of LinkError.

        After BrokerBlocked the link can be used again: a blocked broker does not notice closed connections,
        so a new one for each attempt would use up its file handles.
        """
        self._take_news(deadline)
        self._confirms.refused = 0
        messages = bundle(messages, self._max_header)
        if not self._proven and len(messages) > 1:
            # RabbitMQ reports that it is blocked after reading a message, and reads no further. A whole burst
            # would fill the socket before this side reads the report.
            self._burst(messages[:1], deadline)
            messages = messages[1:]
        self._burst(messages, deadline)
        if self._confirms.refused:
            raise BrokerRefused(f"the broker refused {self._confirms.refused} messages")

    def probe(self, keys: Sequence[str], deadline: float) -> set[str]:
        """Return those of the routing keys that no queue is bound to. Raises one of LinkError."""
        unroutable: set[str] = set()
        with self._apart(deadline) as channel:
            channel.events["basic_return"].add(lambda _error, _exchange, key, _message: unroutable.add(key))
            self._ask(channel, [(EXCHANGE, key) for key in keys], deadline, mandatory=True)
        return unroutable

    def check(self, deadline: float) -> None:
        """Do once what web and workers need permissions for. Raises one of LinkError."""
        queue = gateway_queue("check")
        with self._apart(deadline) as channel:
            channel.queue_declare(queue, exclusive=True, auto_delete=True)
            channel.queue_bind(queue, EXCHANGE, queue)
            channel.basic_consume(queue, consumer_tag=queue, no_ack=True, callback=lambda _message: None)
            self._ask(channel, [(EXCHANGE, "nobody"), (TASKS_EXCHANGE, queue)], deadline)
            channel.basic_cancel(queue)  # the queue is deleted with its last consumer

    @contextmanager
    def _apart(self, deadline: float) -> Iterator[amqp_connection.Channel]:
        """Yield a new channel for probes: RabbitMQ caches permissions for a channel."""
        self._take_news(deadline)
        if self._questions is not None:
            self._questions.close()  # the broker was blocked at the last probe
        channel = self._questions = self._connection.channel()
        channel.confirm_select()
        yield channel
        channel.close()
        self._questions = None

    def _ask(
        self,
        channel: amqp_connection.Channel,
        addresses: Sequence[tuple[str, str]],
        deadline: float,
        *,
        mandatory: bool = False,
    ) -> None:
        """Publish a probe, which is not an event, to each exchange and key; wait for the confirms."""
        answered = Confirms()
        channel.events["basic_ack"].add(answered.ack)
        channel.events["basic_nack"].add(answered.nack)
        for exchange, key in addresses:
            content = amqp.Message(b"{}", application_headers={PROBE: 1}, delivery_mode=TRANSIENT)
            _publish(channel, exchange, key, content, mandatory)
            answered.publish()
        self._wait(answered, 0, deadline)

    def _burst(self, messages: Sequence[Message], deadline: float) -> None:
        self._limit_time(deadline)
        transport = self._connection.transport
        transport.cork()
        for message in messages:
            self._publish(message)
            if self._confirms.outstanding >= WINDOW:
                self._limit_time(deadline)
                transport.uncork()
                self._wait(self._confirms, WINDOW // 2, deadline)
                transport.cork()
        self._limit_time(deadline)
        transport.uncork()
        self._wait(self._confirms, 0, deadline)
        self._proven = True

    def _take_news(self, deadline: float) -> None:
        """Read what the broker has sent since the last call. Raises BrokerBlocked while it is blocked."""
        self._limit_time(deadline)
        while self._connection.transport.gather():
            self._connection.blocking_read()
        if self._blocked:
            raise BrokerBlocked("the broker is blocked by an alarm")

    def close(self) -> None:
        """Close politely."""
        amqp_connection.close(self._connection)

    def drop(self) -> None:
        """Close at once."""
        amqp_connection.drop(self._connection)

    def forget(self) -> None:
        """Close only this process's copy of the socket."""
        amqp_connection.forget(self._connection)

    def _publish(self, message: Message) -> None:
        content = EventMessage(message.body, seq=message.seq, before=message.before)
        _publish(self._channel, EXCHANGE, routing_key(message.user_id), content)
        self._confirms.publish()

    def _wait(self, confirms: Confirms, max_outstanding: int, deadline: float) -> None:
        """Read until at most `max_outstanding` publishes are unconfirmed."""
        while confirms.outstanding > max_outstanding:
            if self._blocked:
                raise BrokerBlocked("the broker is blocked by an alarm")
            self._connection.blocking_read(self._limit_time(deadline))

    def _limit_time(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the broker did not confirm in time")
        self._connection.sock.settimeout(left)
        return left

    def _on_blocked(self, _reason: str = "") -> None:
        self._blocked = True

    def _on_unblocked(self) -> None:
        self._blocked = False


def _publish(
    channel: amqp_connection.Channel, exchange: str, key: str, content: amqp.Message, mandatory: bool = False
) -> None:
    # Not channel.basic_publish: it polls the socket before every message, and spins on half a frame.
    channel.send_method(amqp.spec.Basic.Publish, "Bssbb", (0, exchange, key, mandatory, False), content)
