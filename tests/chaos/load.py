"""The traffic of a run: sends and reads. It keeps what was accepted, and in which order.

A sender does what a careful caller does: it repeats a call with the same key until it gets 202. So
everything it tried is accepted once in the end, and must be delivered once.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.chaos.crowd import Crowd
from tests.chaos.stack import Stack
from tests.harness.backend_api import BackendApi
from tests.harness.client import LedgerClient
from tests.harness.http_client import Response

CALL_SECONDS = 4.0
GIVE_UP_SECONDS = 90.0
GHOSTS = 1200


class Load:
    """`accepted` maps each user to the ids that must reach them; `sequences` are ids whose order counts.

    `accepted_at` has the time (`time.time()`) of each 202.
    """

    def __init__(self, stack: Stack, crowd: Crowd, rng: random.Random) -> None:
        self.accepted: dict[str, set[str]] = defaultdict(set)
        self.sequences: dict[str, list[str]] = defaultdict(list)
        self.recipients: dict[str, int] = {}
        self.accepted_at: dict[str, float] = {}
        self.refusals: list[str] = []
        self.repeated = 0
        self._crowd = crowd
        self._rng = rng
        backends = stack.backends
        self._apis = [BackendApi(b.base_url, b.api_key, timeout=CALL_SECONDS) for b in backends]
        self._threads = ThreadPoolExecutor(max_workers=len(crowd.users) + 4)
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        work = [self._single(user) for user in self._crowd.users]
        work += [self._bulk(), *(self._state(user) for user in self._crowd.users)]
        self._tasks = [asyncio.create_task(one) for one in work]

    async def stop(self) -> None:
        """Send no more, and wait for the answers of calls in progress."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)
        self._threads.shutdown()
        for api in self._apis:
            api.close()

    def snapshot(self) -> dict[str, set[str]]:
        """Return what has been accepted so far."""
        return {user: set(ids) for user, ids in self.accepted.items()}

    async def _pause(self, longest: float) -> bool:
        """Wait a moment; return False when it is time to stop."""
        try:
            await asyncio.wait_for(self._stopping.wait(), self._rng.uniform(0, longest))
        except TimeoutError:
            return True
        return False

    async def _single(self, user: str) -> None:
        """Send alerts and badges to one user, each after the one before was accepted."""
        number = 0
        while await self._pause(0.5):
            number += 1
            if number % 7 == 0:
                body: dict[str, Any] = {"user_id": user, "type": "messages", "count": number}
                identity = await self._until_accepted("/api/badges", body)
            else:
                data = {"title": f"Number {number}", "message": "m", "type": "info"}
                identity = await self._until_accepted("/api/notifications", {"user_id": user, "data": data})
            if identity:
                self.accepted[user].add(identity)
                self.sequences[user].append(identity)
                self.recipients[identity] = 1

    async def _bulk(self) -> None:
        """Send alerts to several users, some with more recipients than fit into one transaction."""
        while await self._pause(2.0):
            chosen = self._rng.sample(self._crowd.users, self._rng.randint(2, len(self._crowd.users)))
            ghosts = [f"ghost-{number}" for number in range(GHOSTS)] if self._rng.random() < 0.3 else []
            audience = [*chosen, *ghosts]
            data = {"title": "To many", "message": "m", "type": "warning"}
            body = {"user_ids": audience, "data": data, "id": str(uuid.uuid4())}
            if identity := await self._until_accepted("/api/notifications", body):
                for user in chosen:
                    self.accepted[user].add(identity)
                self.recipients[identity] = len(audience)

    async def _until_accepted(self, path: str, body: dict[str, Any]) -> str | None:
        """Repeat the call, at either web process, until it is accepted; returns the id."""
        headers = {"Idempotency-Key": str(uuid.UUID(int=self._rng.getrandbits(128), version=4))}
        deadline = asyncio.get_running_loop().time() + GIVE_UP_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            api = self._rng.choice(self._apis)
            try:
                answer: Response = await asyncio.get_running_loop().run_in_executor(
                    self._threads, api.post, path, body, headers
                )
            except OSError:
                self.repeated += 1
            else:
                if answer.status == 202:
                    self.accepted_at[answer.json["id"]] = time.time()
                    return str(answer.json["id"])
                if answer.status < 500:
                    self.refusals.append(f"{path}: {answer}")
                    return None
                if answer.status != 503 or "retry-after" not in answer.headers:
                    self.refusals.append(f"{path}: {answer}")
                self.repeated += 1
            await asyncio.sleep(self._rng.uniform(0.05, 0.5))
        self.refusals.append(f"{path}: not accepted within {GIVE_UP_SECONDS:g} s")
        return None

    async def _state(self, user: str) -> None:
        """Read, unread and archive as a user does, on any of their devices."""
        while await self._pause(1.2):
            client = self._rng.choice(self._crowd.of(user))
            if client.ledger.live and (frame := self._change(client)):
                await client.try_send(**frame)

    def _change(self, client: LedgerClient) -> dict[str, Any] | None:
        known = list(client.ledger.inbox.entries)
        if not known:
            return None
        op = self._rng.choice(["read", "read", "through", "unread", "archive"])
        if op == "through":
            return {"op": "read", "through": self._rng.randint(1, client.ledger.seq or 1)}
        return {"op": op, "ids": self._rng.sample(known, min(len(known), self._rng.randint(1, 3)))}
