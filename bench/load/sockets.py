"""A crowd of WebSocket clients in one asyncio loop: no task and no timer for a socket that is idle."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.target import Target

_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_RSV1 = 0x40  # a compressed frame (RFC 7692)
_ACK_SECONDS = 0.25  # as the browser client
_RETRY_SECONDS = 0.2
_TAIL = b"\x00\x00\xff\xff"


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame. RFC 6455 requires masking; a key of zeros makes it cheap."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, 0x80 | size)) + b"\0\0\0\0" + payload
    return bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big") + b"\0\0\0\0" + payload


class Socket(asyncio.Protocol):
    """A client."""

    __slots__ = (
        "_acked", "_buffer", "_crowd", "_entered", "_inflate", "_seq", "_transport", "_upgraded", "after",
        "user",
    )  # fmt: skip

    def __init__(self, crowd: Crowd, user: str, after: int | None) -> None:
        self.user, self.after = user, after
        self._crowd = crowd
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._upgraded = False
        self._entered: asyncio.Future[bool] | None = None
        self._inflate: zlib._Decompress | None = None
        self._seq = self._acked = after or 0

    async def enter(self) -> bool:
        """Connect; return whether it became live."""
        loop = asyncio.get_running_loop()
        self._buffer, self._upgraded, self._inflate = b"", False, None
        self._entered = loop.create_future()
        try:
            await loop.create_connection(lambda: self, "127.0.0.1", self._crowd.port)
        except OSError:
            return False
        return await self._entered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._crowd.upgrade(self.user))

    def data_received(self, data: bytes) -> None:
        """Split the bytes into frames."""
        data = self._buffer + data if self._buffer else data
        at = 0
        if not self._upgraded:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._buffer = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self._crowd.refusals.append(data[:200])
                self.leave()
                return
            self._upgraded = True
            self._crowd.dialect.opened(self)
        end = len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, start = int.from_bytes(data[start : start + width], "big"), start + width
            if end < start + size:
                break
            self._frame(data[at], data[start : start + size])
            at = start + size
        self._buffer = data[at:]

    def _frame(self, first: int, payload: bytes) -> None:
        if first & _RSV1:
            self._inflate = self._inflate or zlib.decompressobj(-zlib.MAX_WBITS)
            payload = self._inflate.decompress(payload + _TAIL)
        opcode = first & 0xF
        if opcode == _TEXT:
            self._crowd.dialect.heard(self, payload)
        elif opcode == _PING:
            self._write(frame(_PONG, payload))
        elif opcode == _CLOSE:
            self._crowd.closes.append(payload)
            self.leave()

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell those who wait for `live` that it will not come."""
        self._transport = None
        if self._entered is not None and not self._entered.done():
            self._entered.set_result(False)

    @property
    def is_open(self) -> bool:
        """Whether the connection is open."""
        return self._transport is not None and not self._transport.is_closing()

    def leave(self) -> None:
        """Close."""
        if self._transport is not None:
            self._transport.close()

    def say(self, text: bytes) -> None:
        """Send a text frame."""
        self._write(frame(_TEXT, text))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def live(self) -> None:
        """Note that it is connected and up to date."""
        if self._entered is not None and not self._entered.done():
            self._entered.set_result(True)

    def event(self, title: bytes, seq: int = 0) -> None:
        """Note an alert."""
        self._seq = max(self._seq, seq)
        self._crowd.heard(self, title)

    def acknowledge(self) -> None:
        """Ack what has arrived since the last ack."""
        if self._seq > self._acked:
            self._acked = self._seq
            ack = self._crowd.dialect.ack(self._seq)
            if ack is not None:
                self.say(ack)


class Crowd:
    """Clients of one target, a socket for each user.

    Attributes:
        arrivals: (user, title) -> `time.monotonic()` when that alert first arrived.
        doubled: how many arrived again.
        retries: how often a client had to connect again before it was live.
        closes: payloads of the close frames that the server sent.
        refusals: answers to an upgrade other than 101.
    """

    def __init__(
        self, target: Target, users: Sequence[str], *, after: int | None = None, deflate: bool = False,
        ack_seconds: float = _ACK_SECONDS,
    ) -> None:  # fmt: skip
        self.port, self.dialect = target.port, target.dialect
        self.sockets = [Socket(self, user, after) for user in users]
        self.arrivals: dict[tuple[str, bytes], float] = {}
        self.doubled = 0
        self.retries = 0
        self.closes: list[bytes] = []
        self.refusals: list[bytes] = []
        self._deflate = deflate
        self._ack_seconds = ack_seconds
        self._dirty: set[Socket] = set()
        self._sweeping = False
        self._awaited = 0
        self._reached: asyncio.Event = asyncio.Event()

    def upgrade(self, user: str) -> bytes:
        """Return the request for the upgrade."""
        lines = [
            f"GET {self.dialect.path(user)} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Upgrade: websocket",
            "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ]  # fmt: skip
        if self.dialect.subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {self.dialect.subprotocol}")
        if self._deflate:  # exactly what Chromium offers
            lines.append("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
        return "\r\n".join([*lines, "", ""]).encode()

    async def enter(self, at_once: int = 50, *, seconds: float = 300) -> float:
        """Connect all, `at_once` at a time; return the seconds until all were live."""
        began = time.monotonic()
        free = asyncio.Semaphore(at_once)

        async def one(socket: Socket) -> None:
            async with free:
                while not await socket.enter():
                    self.retries += 1
                    if self.refusals and self.retries > 10 * len(self.sockets):
                        raise ConnectionError(f"the upgrade is refused: {self.refusals[0]!r}")
                    await asyncio.sleep(_RETRY_SECONDS)

        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for socket in self.sockets:
                group.create_task(one(socket))
        return time.monotonic() - began

    def heard(self, socket: Socket, title: bytes) -> None:
        """Note an alert of one of them."""
        key = socket.user, title
        if key in self.arrivals:
            self.doubled += 1
        else:
            self.arrivals[key] = time.monotonic()
        if self._ack_seconds == 0:
            socket.acknowledge()
        else:
            self._dirty.add(socket)
            if not self._sweeping:
                self._sweeping = True
                asyncio.get_running_loop().call_later(self._ack_seconds, self._sweep)
        if len(self.arrivals) >= self._awaited:
            self._reached.set()

    def _sweep(self) -> None:
        dirty, self._dirty, self._sweeping = self._dirty, set(), False
        for socket in dirty:
            socket.acknowledge()

    async def have(self, count: int, seconds: float) -> bool:
        """Wait until `count` alerts have arrived in total; return whether they did in time."""
        self._awaited = count
        if len(self.arrivals) >= count:
            return True
        self._reached.clear()
        try:
            await asyncio.wait_for(self._reached.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def forget(self) -> None:
        """Forget what has arrived so far."""
        self.arrivals.clear()
        self.doubled = 0

    def times(self) -> dict[bytes, float]:
        """Return when each title arrived, for alerts to one user each."""
        return {title: at for (_, title), at in self.arrivals.items()}

    async def leave(self) -> None:
        """Close them all."""
        for socket in self.sockets:
            socket.leave()
        await asyncio.sleep(0.1)
