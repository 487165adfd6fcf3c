"""WebSocket at byte level (RFC 6455), for peers that break it.

Any frame can be built, valid or not. The server's answer is split into frames, which must be valid.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, MASKED = 0x80, 0x40, 0x80
KEY = b"\x0f\xf0\x55\xaa"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    size: int | None = None,
    width: int | None = None,
    key: bytes = KEY,
) -> bytes:
    """Return a client's frame.

    Args:
        opcode: 0 to 15.
        payload: before masking.
        fin: whether the message ends here.
        rsv: the reserved bits as they are in the first byte (0x40, 0x20, 0x10).
        masked: whether it is masked, as a client's must be.
        size: the length in its header; None: the right one.
        width: bytes of the length (0, 2 or 8); None: as few as possible.
        key: the masking key.
    """
    told = len(payload) if size is None else size
    if width is None:
        width = 0 if told < 126 else 2 if told < 2**16 else 8
    first = {0: told & 0x7F, 2: 126, 8: 127}[width]
    head = bytes(((FIN if fin else 0) | rsv | opcode, (MASKED if masked else 0) | first))
    head += told.to_bytes(width, "big") if width else b""
    return head + (key + mask(payload, key) if masked else payload)


def mask(payload: bytes, key: bytes = KEY) -> bytes:
    """Mask (or unmask) a payload."""
    long = (key * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(long, "big")).to_bytes(len(payload), "big")


def text(value: Any, **options: Any) -> bytes:
    """Return a text frame with a JSON value, or with a string unchanged."""
    payload = value if isinstance(value, str) else json.dumps(value)
    return frame(TEXT, payload.encode("utf-8", "surrogatepass"), **options)


def close(code: int = 1000, reason: bytes = b"") -> bytes:
    """Return a close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


@dataclass
class Answer:
    """What a server sent on one connection, until its end.

    Attributes:
        status: of the HTTP answer; None: none came.
        ops: the `op` of every JSON frame, in order.
        code: of its close frame; None: it sent none (1006 to a program).
        wrong: what a server must not send.
    """

    status: int | None = None
    ops: list[str] = field(default_factory=list)
    code: int | None = None
    wrong: list[str] = field(default_factory=list)
    pongs: int = 0

    @classmethod
    def of(cls, data: bytes) -> Answer:
        """Parse everything that a connection received."""
        answer = cls()
        if not data:
            return answer
        head, _, rest = data.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        if words[0] != b"HTTP/1.1" or len(words) < 3 or not words[1].isdigit():
            answer.wrong.append(f"no HTTP: {head[:80]!r}")
            return answer
        answer.status = int(words[1])
        if answer.status == 101:
            answer._frames(rest)
        return answer

    def _frames(self, data: bytes) -> None:
        at = 0
        while len(data) - at >= 2:
            first, size, start = data[at], data[at + 1], at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, start = int.from_bytes(data[start : start + width], "big"), start + width
            if len(data) < start + size:
                return  # cut by the end of the connection
            if self.code is not None:
                self.wrong.append("a frame behind the close frame")
            self._frame(first, data[start : start + size])
            at = start + size

    def _frame(self, first: int, payload: bytes) -> None:
        opcode = first & 0x0F
        if opcode == TEXT and first == FIN | TEXT:
            try:
                self.ops.append(json.loads(payload)["op"])
            except (ValueError, KeyError, TypeError):
                self.wrong.append(f"no frame of the protocol: {payload[:80]!r}")
        elif opcode == CLOSE and first == FIN | CLOSE and len(payload) != 1:
            self.code = int.from_bytes(payload[:2], "big") if payload else 1005
            payload[2:].decode()
        elif opcode == PONG:
            self.pongs += 1
        elif opcode != PING:
            self.wrong.append(f"a frame with the first byte {first:#04x}")
