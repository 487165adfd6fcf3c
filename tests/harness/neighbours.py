"""Good clients beside bad ones: they get alerts all the time, and each is timed and checked."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.harness.client import LedgerClient
from tests.harness.site import Site

SENDERS = 8
CATCH_UP = 30.0  # seconds


class Neighbours:
    """A live client for each of `users`, and an alert to one of them in turn every `every` seconds."""

    def __init__(self, site: Site, users: Sequence[str], every: float) -> None:
        self.late: list[float] = []  # seconds from the beginning of the POST to the frame
        self._site, self._every = site, every
        self._began: dict[str, float] = {}
        self._sent: dict[str, list[str]] = defaultdict(list)
        self._enough = asyncio.Event()
        self._threads = ThreadPoolExecutor(SENDERS)
        self._tasks: list[asyncio.Task[None]] = []
        self.clients = [
            LedgerClient(site.backend.ws_url, user, site.backend.token(user), heard=self._heard)
            for user in users
        ]

    def _heard(self, _client: LedgerClient, frame: Mapping[str, Any], at: float) -> None:
        if frame["op"] == "event":
            self.late.append(at - self._began[frame["data"]["title"]])

    async def enter(self) -> None:
        """Connect, and send alerts until `leave`."""
        self._tasks = [asyncio.create_task(client.run()) for client in self.clients]
        for client in self.clients:
            await client.wait_live(CATCH_UP)
        self._tasks.append(asyncio.create_task(self._send_all()))

    async def _send_all(self) -> None:
        """Send at a steady pace, however long the answers take."""
        loop = asyncio.get_running_loop()
        posts = []
        for number, client in enumerate(itertools.cycle(self.clients)):
            if self._enough.is_set():
                break
            posts.append(loop.run_in_executor(self._threads, self._send, client.user_id, str(number)))
            await asyncio.sleep(self._every)
        await asyncio.gather(*posts)

    def _send(self, user: str, title: str) -> None:
        self._began[title] = time.time()
        self._sent[user].append(self._site.send(user, title))

    async def leave(self) -> None:
        """Check that each client got every alert, once, in the log's order, on one connection."""
        self._enough.set()
        await self._tasks[-1]
        self._threads.shutdown()
        for client in self.clients:
            await client.wait_seq(len(self._sent[client.user_id]), CATCH_UP)
        await asyncio.gather(*(client.stop() for client in self.clients))
        await asyncio.gather(*self._tasks)
        for client in self.clients:
            client.ledger.account(self._sent[client.user_id])
            assert client.ledger.connections == 1, client.closes

    def taken(self) -> list[float]:
        """Return the times so far, shortest first, and begin to count again."""
        late, self.late = sorted(self.late), []
        return late
