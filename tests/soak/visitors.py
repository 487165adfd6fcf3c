"""The sockets of the soak: each belongs to a user, and comes and goes."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from tests.harness.backends import Backend
from tests.harness.client import LedgerClient
from tests.harness.ledger import Ledger

STAY, AWAY = (4.0, 25.0), (0.2, 3.0)  # seconds
READ_SHARE = 0.5  # of the visits that mark everything read before they end
TOKEN_SECONDS = 6 * 3600.0


class Device(LedgerClient):
    """A client that remembers when it sent each ack."""

    def __init__(self, *arguments: Any, acks: deque[tuple[float, int]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._sent = acks

    async def try_send(self, **frame: Any) -> None:
        """Send a frame, and note an ack that was sent."""
        if frame["op"] == "ack" and self.connected:
            self._sent.append((time.monotonic(), frame["seq"]))
        await super().try_send(**frame)


class Visitor:
    """A user with one device.

    Attributes:
        ledger: what they got on all visits.
        delays: seconds from acceptance to arrival of each alert that came while they were live.
        failure: a breach of a promise, if there was one.
    """

    def __init__(self, backend: Backend, user: str, rng: random.Random) -> None:
        self.user = user
        self.ledger = Ledger(user)
        self.delays: list[float] = []
        self.failure: BaseException | None = None
        self.visits = 0
        self._backend = backend
        self._token = backend.token(user, ttl=TOKEN_SECONDS)
        self._rng = rng
        self._acks: deque[tuple[float, int]] = deque()
        self._live_at = float("inf")

    async def come_and_go(self, until: float) -> None:
        """Visit again and again until a moment (`time.monotonic()`)."""
        await asyncio.sleep(self._rng.uniform(0, STAY[0]))
        while time.monotonic() < until and self.failure is None:
            await self._visit(min(self._rng.uniform(*STAY), until - time.monotonic()))
            await asyncio.sleep(self._rng.uniform(*AWAY))

    async def last_visit(self, wanted: set[str], seconds: float) -> None:
        """Visit until everything wanted is there."""
        client, task = self._arrive()
        try:
            await client.wait_for(
                lambda ledger: ledger.live and wanted <= ledger.received.keys(), seconds, "all"
            )
        finally:
            await self._leave(client, task)

    def behind(self, acked: int, now: float) -> float:
        """Return for how many seconds the oldest ack that the database does not have has been under way."""
        while self._acks and self._acks[0][1] <= acked:
            self._acks.popleft()
        return now - self._acks[0][0] if self._acks else 0.0

    async def _visit(self, seconds: float) -> None:
        client, task = self._arrive()
        await asyncio.sleep(max(0.0, seconds))
        if client.ledger.live and self._rng.random() < READ_SHARE:
            await client.try_send(op="read", through=self.ledger.seq)
        if self._rng.random() < 0.5:
            client.cut()  # as a phone that loses its network; what it acked just now may be lost with it
            self._acks.clear()
        await self._leave(client, task)

    def _arrive(self) -> tuple[LedgerClient, asyncio.Task[None]]:
        self.visits += 1
        self._live_at = float("inf")
        client = Device(
            self._backend.ws_url, self.user, self._token, device="d", ledger=self.ledger, after=0,
            rng=random.Random(self._rng.random()), heard=self._heard, acks=self._acks,
        )  # fmt: skip
        return client, asyncio.create_task(client.run())

    async def _leave(self, client: LedgerClient, task: asyncio.Task[None]) -> None:
        await client.stop()
        await asyncio.gather(task, return_exceptions=True)
        self.failure = self.failure or client.failure

    def _heard(self, _client: LedgerClient, frame: Mapping[str, Any], at: float) -> None:
        if frame["op"] == "live":
            self._live_at = at
        elif frame["op"] == "event" and "id" in frame and frame["timestamp"] / 1000 > self._live_at:
            self.delays.append(at - frame["timestamp"] / 1000)
