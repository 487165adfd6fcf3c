"""Publishing over AMQP: one pipelined burst, one wait for the confirms.

Confirms are RabbitMQ's extension (https://www.rabbitmq.com/docs/confirms): the broker answers the
n-th publish of a channel with basic.ack n, or with one ack for all up to n (`multiple`), or with
basic.nack. A message without a queue is acked too, and dropped: right here, since SQL is the truth.
"""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import amqp

from notifier.broker import amqp_connection
from notifier.broker.message import Message
from notifier.broker.topology import EXCHANGE, EXCHANGE_TYPE, BrokerOptions, routing_key

WINDOW = 2_000  # messages on their way without a confirm, at most
TRANSIENT = 1  # delivery mode: not written to the broker's disk
SEQS = 4_096  # heads of messages that are kept, 40 bytes each


class BrokerBlocked(OSError):
    """The broker takes no messages for now (an alarm: memory or disk)."""


class BrokerRefused(OSError):
    """The broker answered basic.nack: it could not take a message."""


class Event(amqp.Message):  # type: ignore[misc]
    """An event's message: the part before its body is encoded once for each seq.

    It was a third of publishing, and most of a broadcast's recipients are near the same few seqs.
    """

    def _serialize_properties(self) -> bytes:
        return _head(self.properties["seq"])


@lru_cache(SEQS)
def _head(seq: int) -> bytes:
    plain = amqp.Message(
        b"",
        content_type="application/json",
        delivery_mode=TRANSIENT,
        application_headers={"seq": seq},
    )
    head: bytes = plain._serialize_properties()  # noqa: SLF001
    return head


class Confirms:
    """Which publishes of a channel the broker has confirmed."""

    def __init__(self) -> None:
        self._last = 0
        self._all_up_to = 0
        self._beyond: set[int] = set()
        self.refused = 0

    def publish(self) -> None:
        """Count one publish."""
        self._last += 1

    @property
    def outstanding(self) -> int:
        """How many publishes wait for their confirm."""
        return self._last - self._all_up_to - len(self._beyond)

    def ack(self, tag: int, multiple: bool) -> None:
        """Take basic.ack: publish `tag` is confirmed, or with `multiple` all up to it."""
        if multiple:
            self._all_up_to = max(self._all_up_to, tag)
            self._beyond = {t for t in self._beyond if t > self._all_up_to}
        elif tag > self._all_up_to:
            self._beyond.add(tag)
        while self._all_up_to + 1 in self._beyond:
            self._all_up_to += 1
            self._beyond.remove(self._all_up_to)

    def nack(self, tag: int, multiple: bool) -> None:
        """Take basic.nack: answered, but refused."""
        before = self.outstanding
        self.ack(tag, multiple)
        self.refused += before - self.outstanding


class AmqpPublishLink:
    """One connection with one channel in confirm mode, and the exchange declared."""

    def __init__(self, connection: amqp_connection.Connection, timeout: float) -> None:
        self._connection = connection
        self._blocked = False
        connection.on_blocked = self._on_blocked
        connection.on_unblocked = self._on_unblocked
        connection.sock.settimeout(timeout)
        self._channel = connection.channel()
        self._channel.exchange_declare(EXCHANGE, EXCHANGE_TYPE, durable=True, auto_delete=False)
        self._channel.confirm_select()
        self._confirms = Confirms()
        self._channel.events["basic_ack"].add(self._confirms.ack)
        self._channel.events["basic_nack"].add(self._confirms.nack)

    @classmethod
    def opener(cls, options: BrokerOptions) -> Callable[[float], "AmqpPublishLink"]:
        """Return a function that opens a link until a deadline (monotonic seconds)."""
        # No heartbeat: nobody reads between two publishes. The kernel's keepalive does it instead.
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
        """Publish all, then wait for the confirms. Raises one of LinkError."""
        self._confirms.refused = 0
        self._limit_time(deadline)
        transport = self._connection.transport
        transport.cork()
        for message in messages:
            self._publish(message)
            if self._confirms.outstanding >= WINDOW:
                self._limit_time(deadline)
                transport.uncork()
                self._wait(WINDOW // 2, deadline)
                transport.cork()
        self._limit_time(deadline)
        transport.uncork()
        self._wait(0, deadline)
        if self._confirms.refused:
            raise BrokerRefused(f"the broker refused {self._confirms.refused} messages")

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
        content = Event(message.body, seq=message.seq)
        # Not channel.basic_publish: it polls the socket before every message, and spins on half a frame.
        self._channel.send_method(
            amqp.spec.Basic.Publish,
            "Bssbb",
            (0, EXCHANGE, routing_key(message.user_id), False, False),
            content,
        )
        self._confirms.publish()

    def _wait(self, max_outstanding: int, deadline: float) -> None:
        """Read until at most `most` publishes are unconfirmed."""
        while self._confirms.outstanding > max_outstanding:
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
