"""Plays conformance cases on real connections, many at a time, and returns what the server sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.harness.conformance.case import SYNC, SYNCED, Case, Upgrade
from tests.harness.conformance.handshake import request
from tests.harness.hostile.frames import CLOSE, MASKED, PING, PONG, TEXT, close
from tests.harness.hostile.session import hello
from tests.harness.waiting import crowding

AT_ONCE = 32
SECONDS = 10.0  # for one case, on a machine with an idle core
HELLO = ("welcome", "live")
FIN = 0x80


class Connection:
    """A TCP connection that receives frames; writes are not buffered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sock = socket.socket()
        self._data = b""
        self.heard: list[str] = []
        self.over = False

    async def __aenter__(self) -> Connection:
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(self._sock, ("127.0.0.1", self._port))
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._sock.close()

    async def write(self, data: bytes) -> None:
        """Send all of it, unless the server has ended the connection."""
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Read the head of the answer; return its status and its headers by their names in small letters."""
        while b"\r\n\r\n" not in self._data and not self.over:
            await self._receive()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split()[1]) if first.startswith("HTTP/") else 0
        pairs = (line.partition(":") for line in lines)
        return status, {name.strip().lower(): value.strip() for name, _, value in pairs}

    async def hear(self) -> None:
        """Read once, and add the complete frames to `heard`."""
        await self._receive()
        while (size := _size(self._data)) is not None:
            whole, self._data = self._data[:size], self._data[size:]
            self.heard.append(_name(whole))

    async def _receive(self) -> None:
        try:
            data = await asyncio.get_running_loop().sock_recv(self._sock, 65_536)
        except ConnectionError:
            self.heard.append("reset")
            data = b""
        self.over = not data
        self._data += data


def _size(data: bytes) -> int | None:
    """Return the length of the first frame if it is complete."""
    if len(data) < 2:
        return None
    short = data[1] & 0x7F
    width = {126: 2, 127: 8}.get(short, 0)
    size = 2 + width + (int.from_bytes(data[2 : 2 + width], "big") if width else short)
    return size if len(data) >= size else None


def _name(whole: bytes) -> str:
    """Return a server's frame in the notation of `hears`."""
    start = 2 + {126: 2, 127: 8}.get(whole[1], 0)
    first, payload = whole[0], whole[start:]
    if whole[1] & MASKED:
        return "a frame with a mask"
    if first == FIN | TEXT:
        return str(json.loads(payload)["op"])
    if first == FIN | PONG:
        return f"pong:{payload.hex()}"
    if first == FIN | PING:
        return f"ping:{payload.hex()}"
    if first == FIN | CLOSE and len(payload) != 1 and len(payload) <= 125:
        payload[2:].decode()
        return f"close:{int.from_bytes(payload[:2], 'big') if payload else 1005}"
    return f"a frame with the first byte {first:#04x}"


async def play(port: int, case: Case, token: str) -> list[str]:
    """Play a case; return everything that the server sent after its answer to the hello."""
    async with Connection(port) as connection:
        await connection.write(request())
        status, _ = await connection.head()
        if status != 101:
            return [f"status {status}"]
        greeting = hello(token) if case.hello else b""
        awaited = 0
        for number, segment in enumerate(case.segments):
            await connection.write(segment if number else greeting + segment)
            if segment.startswith(SYNC):
                awaited += 1
                while connection.heard.count(SYNCED) < awaited and not connection.over:
                    await connection.hear()
        while not connection.over:
            await connection.hear()
        answer = tuple(connection.heard[: len(HELLO)])
        if case.hello and answer == HELLO:
            return connection.heard[len(HELLO) :]
        return connection.heard


async def ask(port: int, upgrade: Upgrade) -> list[str]:
    """Ask for an upgrade; return what is wrong with the answer."""
    async with Connection(port) as connection:
        await connection.write(upgrade.request)
        status, headers = await connection.head()
        faults = [f"{status} instead of {upgrade.status}"] if status != upgrade.status else []
        for name, value in upgrade.headers.items():
            if (said := headers.get(name.lower())) != value:
                faults.append(f"{name}: {said!r} instead of {value!r}")
        if status == 101:
            await connection.write(close())
            while not connection.over:
                await connection.hear()
            if connection.heard != ["close:1000"]:
                faults.append(f"after the upgrade: {connection.heard}")
        return faults


@dataclass
class Results:
    """The results of the cases, by id: what the server sent, or what is wrong with it."""

    heard: dict[str, list[str]] = field(default_factory=dict)

    async def play(self, port: int, cases: Iterable[Case | Upgrade], token: str) -> None:
        """Play all cases, some at a time, each on a connection of its own."""
        free = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case | Upgrade) -> None:
            async with free:
                try:
                    async with asyncio.timeout(SECONDS * crowding()):
                        if isinstance(case, Upgrade):
                            self.heard[case.id] = await ask(port, case)
                        else:
                            self.heard[case.id] = await play(port, case, token)
                except (OSError, ValueError, KeyError) as error:
                    self.heard[case.id] = [repr(error)]

        async with asyncio.TaskGroup() as group:
            for case in cases:
                group.create_task(one(case))
