"""A network between our parts and a server, for tests without an event loop: it delays, swallows, half-closes.

Everything happens in a thread of its own, also while no test runs.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine
from typing import Any

CHUNK = 65_536


class _Pair:
    """The two connections of one client: `near` is the client's, `far` the server's."""

    def __init__(self, near: asyncio.StreamWriter) -> None:
        self.near = near
        self.far: asyncio.StreamWriter | None = None
        self.lost = (
            False  # something was swallowed: nothing ever passes again, as in TCP after a lost segment
        )
        self.half = False

    def abort(self) -> None:
        for writer in (self.near, self.far):
            if writer is not None:
                writer.transport.abort()


class BadNetwork:
    """Forwards its port to a server's, and misbehaves when told.

    Attributes:
        port: where clients connect.
        delay: seconds that each chunk takes, in each direction.
        swallows: whether what is sent disappears. Connections that lost something stay open and silent for
            good, also after this: neither end is told anything, as behind a firewall that forgot them.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self.delay = 0.0
        self.swallows = False
        self._server_port = port
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bad-network", daemon=True)
        self._thread.start()
        self._run(self._listen())

    def half_close(self, rng: random.Random) -> int:
        """Tell one end of each connection that the other has ended, which stays open; return how many there were."""

        async def work() -> int:
            pairs = [pair for pair in self._pairs if pair.far is not None and not pair.lost]
            for pair in pairs:
                pair.half = True
                end = rng.choice([pair.near, pair.far])
                if end is not None and not end.transport.is_closing():
                    end.write_eof()
            return len(pairs)

        return int(self._run(work()))

    def cut_all(self) -> None:
        """Reset every connection."""

        async def work() -> None:
            for pair in list(self._pairs):
                pair.abort()

        self._run(work())

    def mend(self) -> None:
        """Forward at once again. Connections that lost something stay silent; half-closed ones end."""

        async def work() -> None:
            self.delay, self.swallows = 0.0, False
            for pair in list(self._pairs):
                if pair.half:
                    pair.abort()

        self._run(work())

    def stop(self) -> None:
        """End every connection, and the thread."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close their sockets in the loop's next round

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        pair = _Pair(near)
        self._pairs.add(pair)
        try:
            if self.swallows:
                pair.lost = True  # nobody has heard of it
                await self._until_closed(reader)
                return
            answers, pair.far = await asyncio.open_connection("127.0.0.1", self._server_port, limit=CHUNK)
            ends = [
                self._loop.create_task(self._pump(pair, reader, pair.far)),
                self._loop.create_task(self._pump(pair, answers, near)),
            ]
            try:
                await asyncio.wait(ends)
            finally:
                for end in ends:
                    end.cancel()
                await asyncio.gather(*ends, return_exceptions=True)
        except OSError:
            pass
        finally:
            self._pairs.discard(pair)
            pair.abort()

    async def _pump(self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward until the reader ends; then end the other side too, unless the network hides it."""
        try:
            while data := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.swallows:
                    pair.lost = True
                if pair.lost:
                    continue
                writer.write(data)
                await writer.drain()
        except (OSError, RuntimeError):  # RuntimeError: written to after its end was told
            pass
        if self.swallows:
            pair.lost = True
        if not pair.lost and not pair.half:
            pair.abort()

    @staticmethod
    async def _until_closed(reader: asyncio.StreamReader) -> None:
        while await reader.read(CHUNK):
            pass
