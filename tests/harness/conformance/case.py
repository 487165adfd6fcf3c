"""A conformance case as data, and helpers to write cases.

A case is one TCP connection: what the client writes, segment by segment, and everything that the server must
send, in order, until the end of the stream. A case waits only for that end, so it needs no pause.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from tests.harness.hostile.frames import BINARY, CONTINUATION, PING, TEXT, close, frame

#: A ping that a segment begins with: its pong shows that the server has read the segment, as it reads a
#: segment whole. Only then is the next one written, so that the two are never read as one.
SYNC = frame(PING, b"sync")

#: The largest message of `notifier.v1`, in bytes.
MAX_MESSAGE = 64 * 1024


@dataclass(frozen=True)
class Case:
    """A connection after a valid upgrade.

    Attributes:
        id: its family, its number in the Autobahn list if it has one, and what is sent.
        segments: what is written, each in a TCP segment of its own.
        hears: what the server sends, in order: `op` for a text frame, `pong:<hex>`, `close:<code>`.
        hello: whether the client first says hello; its answer is not part of `hears`.
        deviates: the key in DEVIATIONS that says why Autobahn expects something else.
    """

    id: str
    segments: tuple[bytes, ...]
    hears: tuple[str, ...]
    hello: bool = True
    deviates: str = ""


@dataclass(frozen=True)
class Upgrade:
    """One request for the upgrade.

    Attributes:
        id: what is asked.
        request: the bytes of the request.
        status: the status of the answer.
        headers: headers that the answer must have; None: must not have.
        deviates: the key in DEVIATIONS that says why RFC 6455 would allow another answer.
    """

    id: str
    request: bytes
    status: int
    headers: dict[str, str | None] = field(default_factory=dict)
    deviates: str = ""


def case(
    id: str, *segments: bytes, hears: tuple[str, ...] = (), hello: bool = True, deviates: str = ""
) -> Case:
    """Return a case that the client ends: its close frame follows in the last segment, and is answered."""
    *first, last = segments
    return Case(id, (*first, last + close()), (*hears, "close:1000"), hello, deviates)


def refused(
    id: str, *segments: bytes, code: int, hears: tuple[str, ...] = (), hello: bool = True, deviates: str = ""
) -> Case:
    """Return a case that the server ends with `code`."""
    return Case(id, segments, (*hears, f"close:{code}"), hello, deviates)


def pong(payload: bytes = b"") -> str:
    """Return how a pong with this payload is written in `hears`."""
    return f"pong:{payload.hex()}"


SYNCED = pong(b"sync")


def message(size: int = 13) -> bytes:
    """Return a `ping` of notifier.v1 of `size` bytes (13 at least): JSON may end with blanks."""
    return b'{"op":"ping"}'.ljust(size)


def saying(text: bytes) -> bytes:
    """Return a `ping` with `text` in one of its strings."""
    return b'{"op":"ping","pad":"' + text + b'"}'


def octets(data: bytes) -> tuple[bytes, ...]:
    """Cut into segments of one byte."""
    return tuple(data[at : at + 1] for at in range(len(data)))


def in_segments(data: bytes, at: int) -> tuple[bytes, bytes]:
    """Cut into two segments that the server reads one after the other."""
    return SYNC + data[:at], data[at:]


def pieces(payload: bytes, *at: int, opcode: int = TEXT) -> list[bytes]:
    """Return a message as frames, cut at these places."""
    edges = [0, *at, len(payload)]
    parts = [payload[start:end] for start, end in pairwise(edges)]
    return [
        frame(CONTINUATION if number else opcode, part, fin=number == len(parts) - 1)
        for number, part in enumerate(parts)
    ]


def in_frames(payload: bytes, *at: int, opcode: int = TEXT, between: bytes = b"") -> bytes:
    """Return a message in frames, cut at these places; `between` is written between any two of them."""
    return between.join(pieces(payload, *at, opcode=opcode))


def text(payload: bytes) -> bytes:
    """Return a text frame."""
    return frame(TEXT, payload)


def binary(payload: bytes) -> bytes:
    """Return a binary frame."""
    return frame(BINARY, payload)
