"""Assemble frames into messages, so that no message can break its connection.

py-amqp's own handler (amqp/method_framing.py) raises when a message's properties cannot be decoded,
a timestamp header after the year 9999 for instance, and has then lost its position in the stream; and it
collects a body of any size, which RabbitMQ allows up to 128 MiB. RabbitMQ checks neither.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from struct import unpack_from
from typing import Any

import amqp

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8  # frame types (AMQP 0-9-1, section 4.2.3)
_WITH_CONTENT = (amqp.spec.Basic.Deliver, amqp.spec.Basic.Return, amqp.spec.Basic.GetOk)

log = logging.getLogger(__name__)


class Content(amqp.basic_message.Message):  # type: ignore[misc]
    """An incoming message; undecodable properties become empty, and so does a body that is too big."""

    max_bytes = 0  # bytes of body that are kept

    def _load_properties(self, class_id: int, buf: bytes, offset: int) -> int:
        try:
            end: int = super()._load_properties(class_id, buf, offset)
        except Exception as exc:  # noqa: BLE001 - whatever a producer put there
            log.debug("undecodable properties: %s: %s", type(exc).__name__, exc)
            self.properties: dict[str, Any] = {}
            return offset
        return end

    def inbound_body(self, buf: bytes) -> None:
        """Take a part of the body."""
        if self.body_size <= self.max_bytes:
            super().inbound_body(buf)
            return
        self.body_received += len(buf)
        if self.body_received >= self.body_size:
            self.body, self.ready = b"", True


def frame_handler(max_bytes: int) -> Callable[[Any, Callable[..., None]], Callable[[Any], bool]]:
    """Return a handler for `amqp.Connection(frame_handler=…)` that keeps bodies up to `max_bytes`."""

    class Bounded(Content):
        pass

    Bounded.max_bytes = max_bytes

    def handler(connection: Any, callback: Callable[..., None]) -> Callable[[Any], bool]:
        expected: defaultdict[int, int] = defaultdict(lambda: METHOD)
        begun: dict[int, Any] = {}

        def on_frame(frame: tuple[int, int, bytes]) -> bool:
            kind, channel, buf = frame
            connection.bytes_recv += 1  # frames, in fact: what py-amqp's heartbeats look at
            if kind == HEARTBEAT:
                return False
            if kind != expected[channel]:
                raise amqp.exceptions.UnexpectedFrame(f"frame of type {kind}, not {expected[channel]}")
            if kind == METHOD:
                method = unpack_from(">HH", buf, 0)
                if method not in _WITH_CONTENT:
                    callback(channel, method, buf, None)
                    return True
                begun[channel] = Bounded(frame_method=method, frame_args=buf)
                expected[channel] = HEADER
                return False
            message = begun[channel]
            (message.inbound_header if kind == HEADER else message.inbound_body)(buf)
            if not message.ready:
                expected[channel] = BODY
                return False
            expected[channel] = METHOD
            del begun[channel]
            callback(channel, message.frame_method, message.frame_args, message)
            return True

        return on_frame

    return handler
