"""Shared by jitter, avalanche and the slow reader: clients with a ledger, and a steady sender."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from tests.harness.client import LedgerClient
from tests.harness.site import Site


async def crowd(clients: Sequence[LedgerClient], seconds: float = 120.0) -> list[asyncio.Task[None]]:
    """Connect clients, several at a time, and return when all are live."""
    tasks = []
    for start in range(0, len(clients), 100):
        some = clients[start : start + 100]
        tasks += [asyncio.create_task(client.run()) for client in some]
        await asyncio.gather(*(client.wait_live(seconds) for client in some))
    return tasks


async def leave(clients: Sequence[LedgerClient], tasks: Sequence[asyncio.Task[None]]) -> None:
    """Close every client."""
    await asyncio.gather(*(client.stop() for client in clients), return_exceptions=True)
    await asyncio.gather(*tasks, return_exceptions=True)


class Steady:
    """Sends `rate` alerts a second from threads, to one user after another, and notes when each began.

    `fields` are further fields of each body.
    """

    def __init__(
        self, site: Site, users: Sequence[str], *, threads: int = 8, message: str = "m", **fields: Any
    ) -> None:
        self._site, self._users, self._message, self._fields = site, users, message, fields
        self._apis = [site.api.__class__(site.backend.base_url, site.backend.api_key) for _ in range(threads)]
        self.began: dict[str, float] = {}  # title -> time.time() at the start of its POST
        self.posts: list[float] = []  # seconds that each POST took
        self.sent: dict[str, int] = dict.fromkeys(users, 0)

    def _post(self, api: Any, user: str, title: str) -> None:
        began = self.began[title] = time.time()
        answer = api.send(user, {"title": title, "message": self._message, "type": "info"}, **self._fields)
        assert answer.status == 202, answer
        self.posts.append(time.time() - began)
        self.sent[user] += 1

    async def run(self, count: int, rate: float) -> None:
        """Send `count` alerts; return when all are accepted."""
        free: asyncio.Queue[Any] = asyncio.Queue()
        for api in self._apis:
            free.put_nowait(api)
        loop, start = asyncio.get_running_loop(), time.monotonic()

        async def one(number: int) -> None:
            api = await free.get()
            try:
                user = self._users[number % len(self._users)]
                await loop.run_in_executor(None, self._post, api, user, f"{user} {number}")
            finally:
                free.put_nowait(api)

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
                group.create_task(one(number))

    def close(self) -> None:
        """Close the connections."""
        for api in self._apis:
            api.close()
