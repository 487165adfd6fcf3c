"""POSTs over persistent connections: the part of HTTP/1.1 that a load generator needs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.target import Target


class _Line(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the connection was closed before the answer"))

    async def ask(self, request: bytes) -> int:
        assert self._transport is not None
        self._buffer = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._answer is None or self._answer.done():
            return
        head, body = self._buffer[:end].lower(), self._buffer[end + 4 :]
        at = head.find(b"content-length:")
        if at < 0:
            whole = body.endswith(b"0\r\n\r\n")
        else:
            whole = len(body) >= int(head[at + 15 :].split(b"\r\n", 1)[0])
        if whole:
            if b"connection: close" in head and self._transport is not None:
                self._transport.close()
            self._answer.set_result(int(head[9:12]))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Poster:
    """POSTs to a target, over a given number of connections."""

    def __init__(self, target: Target) -> None:
        self._port = target.port
        headers = {"Host": f"127.0.0.1:{target.port}", "Content-Type": "application/json", **target.headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._idle: list[_Line] = []

    async def post(self, path: str, body: Any) -> int:
        """POST a JSON value; return the status. Raises OSError when there was no answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw
        line = await self._line()
        status = await line.ask(request)
        self._idle.append(line)
        return status

    async def _line(self) -> _Line:
        while self._idle:
            line = self._idle.pop()
            if line.open:
                return line
        _, line = await asyncio.get_running_loop().create_connection(_Line, "127.0.0.1", self._port)
        return line

    def close(self) -> None:
        """Close the connections."""
        for line in self._idle:
            line.close()


def alert(user: str, title: str) -> dict[str, Any]:
    """Return the body of a POST of one alert, which every side understands."""
    return {"user_id": user, "data": _data(title)}


def broadcast(users: list[str], title: str) -> dict[str, Any]:
    """Return the body of a POST of one alert to many."""
    return {"user_ids": users, "data": _data(title)}


def _data(title: str) -> dict[str, str]:
    return {"title": title, "message": "Your order is on its way.", "type": "success"}
