"""The clients: some users, two devices each.

A phone's connection is cut again and again. A laptop's stays open as long as the server allows, so that no
reconnect hides a lost event that the server did not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator

from tests.chaos.stack import Stack
from tests.harness.client import Heard, LedgerClient
from tests.harness.proxy import Proxy

CUT = "phone"
DEVICES = (CUT, "laptop")
CUT_EVERY, CUT_GAP = 6.0, 0.5
TOKEN_SECONDS = 3 * 3600.0  # valid also by a clock that is an hour ahead


class Crowd:
    """The clients of a run. Each connects to one of the web processes, as behind a load balancer."""

    def __init__(
        self, stack: Stack, users: list[str], rng: random.Random, heard: Heard | None = None
    ) -> None:
        self.users = users
        self.clients: list[LedgerClient] = []
        self._proxies: list[Proxy] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._cuts: list[asyncio.Task[None]] = []
        self._rng = rng
        ports = [backend.port for backend in stack.backends]
        for user in users:
            token = stack.backends[0].token(user, ttl=TOKEN_SECONDS)
            for device in DEVICES:
                proxy = Proxy(lambda: rng.choice(ports))
                self._proxies.append(proxy)
                self.clients.append(
                    LedgerClient(
                        lambda proxy=proxy: f"ws://127.0.0.1:{proxy.port}/ws",  # type: ignore[misc]
                        user,
                        token,
                        device=device,
                        after=0,
                        rng=random.Random(rng.random()),
                        ack_every=7,
                        heard=heard,
                    )
                )

    async def enter(self) -> None:
        """Connect everyone and wait until all are live."""
        for proxy, client in zip(self._proxies, self.clients, strict=True):
            await proxy.listen()
            self._tasks.append(asyncio.create_task(client.run()))
        for client in self.clients:
            await client.wait_live(30)

    def start_cutting(self) -> None:
        """Begin to cut the phones' connections about every CUT_EVERY seconds."""
        self._cuts = [
            asyncio.create_task(proxy.flaky(CUT_EVERY, CUT_GAP, random.Random(self._rng.random())))
            for proxy, client in zip(self._proxies, self.clients, strict=True)
            if client.device == CUT
        ]

    async def stop_cutting(self) -> None:
        """Stop cutting connections, and end outages that are in progress."""
        for task in self._cuts:
            task.cancel()
        await asyncio.gather(*self._cuts, return_exceptions=True)
        for proxy in self._proxies:
            await proxy.listen()

    def of(self, user: str) -> list[LedgerClient]:
        """Return the devices of a user."""
        return [client for client in self.clients if client.user_id == user]

    def sound(self) -> Iterator[LedgerClient]:
        """Return the clients whose ledger shows no breach so far."""
        return (client for client in self.clients if client.failure is None)

    async def leave(self) -> None:
        """End every client and every proxy."""
        await asyncio.gather(*(client.stop() for client in self.clients), return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for proxy in self._proxies:
            with contextlib.suppress(OSError):
                await proxy.__aexit__(None, None, None)
