"""A TCP proxy that misbehaves as networks do: cuts, refuses, slows down.

One proxy has one listening port. To give each of many clients its own outages, give each its own
proxy: a listening socket costs almost nothing.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from types import TracebackType

CHUNK = 65_536
TICK_SECONDS = 0.05


class Proxy:
    """Forwards to `host:port`. `rate` is bytes per second towards the client; None is unlimited.

    `port` may be a function, called for each connection: a simple load balancer.

    With a rate its buffers are small, so that the server notices the slowness.
    """

    def __init__(
        self, port: int | Callable[[], int], host: str = "127.0.0.1", rate: float | None = None
    ) -> None:
        self._host, self._port = host, port
        self.rate = rate
        self.port = 0
        self.cuts = 0
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Accept on its port: first on any free one, later on the same one."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accept, "127.0.0.1", self.port, reuse_address=True, backlog=1024
            )
            self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Close the listening port: connects are refused until `listen`; open connections stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut_all(self) -> int:
        """Abort every connection on both sides, without a close; return how many there were."""
        pairs, self._pairs = self._pairs, set()
        for near, far in pairs:
            near.transport.abort()
            far.transport.abort()
        self.cuts += len(pairs)
        return len(pairs)

    async def outage(self, seconds: float) -> None:
        """Cut all connections, and refuse new ones for that time."""
        self.refuse()
        self.cut_all()
        await asyncio.sleep(seconds)  # the length of the outage is the test's input
        await self.listen()

    async def flaky(self, every: float, gap: float, rng: random.Random) -> None:
        """Repeat an outage of `gap` seconds about every `every` seconds (half to one and a half)."""
        await asyncio.sleep(rng.uniform(0, every))
        while True:
            await self.outage(gap)
            await asyncio.sleep(rng.uniform(0.5, 1.5) * every)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limit = CHUNK if self.rate is None else 4096
        try:
            far = await self._connect(limit)
        except OSError:
            return
        pair = (writer, far[1])
        self._pairs.add(pair)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far[1], None))
                group.create_task(self._pump(far[0], writer, self.rate))
        except* OSError:
            pass
        finally:
            self._pairs.discard(pair)
            far[1].transport.abort()

    async def _connect(self, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self._port if isinstance(self._port, int) else self._port()
        if self.rate is None:
            return await asyncio.open_connection(self._host, port, limit=limit)
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(slow, (self._host, port))
        return await asyncio.open_connection(sock=slow, limit=limit)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float | None
    ) -> None:
        size = CHUNK if rate is None else max(1, int(rate * TICK_SECONDS))
        while data := await reader.read(size):
            writer.write(data)
            await writer.drain()
            if rate is not None:
                await asyncio.sleep(len(data) / rate)  # this wait is the throttle
        # When one side has ended, end the other: a WebSocket has no half-open state.
        raise ConnectionError

    async def __aenter__(self) -> Proxy:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self.cut_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
