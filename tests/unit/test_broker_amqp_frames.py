"""Messages from frames: in parts, interleaved, undecodable, too big."""

from __future__ import annotations

import struct
from typing import Any

import amqp
import pytest

from notifier.broker.amqp_frames import BODY, HEADER, HEARTBEAT, METHOD, frame_handler

DELIVER = struct.pack(">HH", *amqp.spec.Basic.Deliver)
QOS_OK = struct.pack(">HH", *amqp.spec.Basic.QosOk)
SEQ = {"application_headers": {"seq": 7}}


class Reader:
    """The reading side of a connection."""

    def __init__(self, most: int = 100) -> None:
        self.bytes_recv = 0
        self.got: list[tuple[int, Any]] = []
        self.feed = frame_handler(most)(
            self, lambda ch, method, args, content: self.got.append((ch, content))
        )

    def deliver(self, body: bytes, parts: int = 1, header: bytes | None = None, channel: int = 1) -> None:
        self.feed((METHOD, channel, DELIVER))
        self.feed((HEADER, channel, header or _header(len(body))))
        size = -(-len(body) // parts)
        for start in range(0, len(body), size or 1):
            self.feed((BODY, channel, body[start : start + size]))


def _header(size: int, **properties: Any) -> bytes:
    props = amqp.Message(**(properties or SEQ))._serialize_properties()
    return struct.pack(">HHQ", 60, 0, size) + props


@pytest.mark.parametrize("parts", [1, 3])
def test_a_message_is_complete_with_its_properties(parts: int) -> None:
    reader = Reader()
    reader.deliver(b"hello", parts)
    ((_, message),) = reader.got
    assert (message.body, message.properties) == (b"hello", SEQ)
    assert reader.bytes_recv == 2 + parts


def test_a_message_without_a_body_is_complete_at_once() -> None:
    reader = Reader()
    reader.deliver(b"")
    reader.feed((METHOD, 1, QOS_OK))
    assert [content is None for _, content in reader.got] == [False, True]


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff\xff" * 4,
        b"\x20\x00\x00\x00\x00\x05\x01a?\x00\x00",
        b"\x20\x00\x00\x00\x00\x0b\x01aT" + b"\xff" * 8,
        b"",
    ],
)
def test_properties_that_cannot_be_decoded_lose_nothing_else(junk: bytes) -> None:
    reader = Reader()
    reader.deliver(b"bad", header=struct.pack(">HHQ", 60, 0, 3) + junk)
    reader.deliver(b"good")
    assert [content.body for _, content in reader.got] == [b"bad", b"good"]
    assert reader.got[0][1].properties == {}
    assert reader.got[1][1].properties == SEQ


def test_a_body_over_the_limit_is_counted_but_not_kept() -> None:
    reader = Reader(most=10)
    reader.deliver(b"x" * 11, parts=4)
    reader.deliver(b"y" * 10, parts=4)
    assert [content.body for _, content in reader.got] == [b"", b"y" * 10]


def test_channels_interleave() -> None:
    reader = Reader()
    for channel in (1, 2):
        reader.feed((METHOD, channel, DELIVER))
    for channel in (1, 2):
        reader.feed((HEADER, channel, _header(1)))
    reader.feed((HEARTBEAT, 0, b""))
    for channel in (2, 1):
        reader.feed((BODY, channel, b"%d" % channel))
    assert [(channel, content.body) for channel, content in reader.got] == [(2, b"2"), (1, b"1")]


def test_a_stream_out_of_step_is_an_error() -> None:
    reader = Reader()
    reader.feed((METHOD, 1, DELIVER))
    with pytest.raises(amqp.exceptions.UnexpectedFrame):
        reader.feed((METHOD, 1, DELIVER))
