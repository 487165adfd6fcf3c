"""Crowds: jitter, avalanche and the slow reader, each a measurement that fails on a broken promise.

    python -m tests.chaos.crowds jitter     500 clients, each cut about every 15 s for 2 s, two minutes
    python -m tests.chaos.crowds avalanche  2,000 clients, the gateway killed under them
    python -m tests.chaos.crowds slow       ten fast readers, one at 1 KB/s, a minute

Every client keeps a ledger; the exit status is non-zero when one event is short, doubled or out of order,
or when a client never returns.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.chaos.stack import Stack
from tests.harness.backend_api import BackendApi
from tests.harness.client import LedgerClient
from tests.harness.proxy import Proxy

ENTER_AT_ONCE = 100
CATCH_UP_SECONDS = 60.0


class Gathering:
    """Clients of one web process, each its own user, and one caller that sends to all of them."""

    def __init__(self, stack: Stack, count: int, rng: random.Random) -> None:
        self.backend = stack.backends[0]
        self.web = stack.processes["web 1"]
        self.rng = rng
        self.users = [f"crowd-{number}" for number in range(count)]
        self.proxies = [Proxy(self.backend.port) for _ in self.users]
        self.clients: list[LedgerClient] = []
        self.accepted: list[str] = []
        self.refused = 0
        self.api = BackendApi(self.backend.base_url, self.backend.api_key)
        self._tasks: list[asyncio.Task[None]] = []

    async def enter(
        self, heard: Callable[[LedgerClient, Mapping[str, Any], float], None] | None = None
    ) -> None:
        """Connect everyone, some at a time, and wait until all are live."""
        for user, proxy in zip(self.users, self.proxies, strict=True):
            await proxy.listen()
            self.clients.append(
                LedgerClient(
                    f"ws://127.0.0.1:{proxy.port}/ws",
                    user,
                    self.backend.token(user, ttl=86_400),
                    device="one",
                    after=0,
                    rng=random.Random(self.rng.random()),
                    heard=heard,
                )
            )
        for start in range(0, len(self.clients), ENTER_AT_ONCE):
            some = self.clients[start : start + ENTER_AT_ONCE]
            self._tasks += [asyncio.create_task(client.run()) for client in some]
            for client in some:
                await client.wait_live(60)

    async def send(self, message: str = "m") -> None:
        """One alert to everybody; a 503 is repeated when it says, and counted."""
        data = {"title": f"Number {len(self.accepted)}", "message": message, "type": "info"}
        key = f"crowd-{len(self.accepted)}"
        answer = await asyncio.to_thread(self.api.send_many, self.users, data, key=key)
        while answer.status == 503:
            self.refused += 1
            await asyncio.sleep(float(answer.headers["retry-after"]))
            answer = await asyncio.to_thread(self.api.send_many, self.users, data, key=key)
        assert answer.status == 202, answer
        self.accepted.append(answer.json["id"])

    async def flow(self, seconds: float, pause: float, message: str = "m") -> None:
        """Send again and again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.send(message)
            await asyncio.sleep(pause)

    async def short(self) -> int:
        """Wait until everyone has everything; how many have not in the end, or never returned."""
        end, wanted = time.monotonic() + CATCH_UP_SECONDS, set(self.accepted)
        left = list(self.clients)
        while left and time.monotonic() < end:
            left = [c for c in left if not (c.ledger.live and wanted <= c.ledger.received.keys())]
            await asyncio.sleep(0.05)
        return len(left)

    def breaches(self) -> list[str]:
        """What the ledgers found, and what came in another order than it was sent."""
        found = [str(client.failure) for client in self.clients if client.failure is not None]
        for client in self.clients:
            wanted = [identity for identity in self.accepted if identity in client.ledger.received]
            if client.failure is None and client.ledger.order != wanted:
                found.append(f"{client.user_id}: not in the order of sending")
        return found

    async def leave(self) -> None:
        """End everyone."""
        await asyncio.gather(*(client.stop() for client in self.clients), return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for proxy in self.proxies:
            await proxy.__aexit__(None, None, None)
        self.api.close()


def quantiles(values: Sequence[float]) -> str:
    """p50, p95, p99 and the maximum, in milliseconds."""
    if not values:
        return "none"
    ordered = sorted(values)
    chosen = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99)]
    names = ("p50", "p95", "p99", "max")
    return ", ".join(f"{n} {v * 1000:.0f} ms" for n, v in zip(names, [*chosen, ordered[-1]], strict=True))


async def jitter(stack: Stack, given: argparse.Namespace) -> list[str]:
    """Each client's connection is cut about every 15 s, for 2 s, while events flow."""
    crowd = Gathering(stack, given.clients or 500, random.Random(given.seed))
    await crowd.enter()
    cuts = [
        asyncio.create_task(proxy.flaky(15, 2, random.Random(crowd.rng.random()))) for proxy in crowd.proxies
    ]
    for client in crowd.clients:
        client.catch_ups.clear()
    await crowd.flow(given.seconds or 120, 1.0)
    for task in cuts:
        task.cancel()
    await asyncio.gather(*cuts, return_exceptions=True)
    for proxy in crowd.proxies:
        await proxy.listen()
    short = await crowd.short()
    catch_ups = [one for client in crowd.clients for one in client.catch_ups]
    due = len(crowd.accepted) * len(crowd.clients)
    came = sum(len(client.ledger.received) for client in crowd.clients)
    print(f"clients {len(crowd.clients)}, events each {len(crowd.accepted)}, cuts {len(catch_ups)}")
    print(f"delivered {came} of {due} ({came / due:.4%}), clients short {short}")
    print(f"catch-up, hello to live: {quantiles(catch_ups)}")
    print(f"away, loss to live (with the 2 s): {quantiles([o for c in crowd.clients for o in c.outages])}")
    found = crowd.breaches() + ([f"{short} clients are short"] if short else [])
    await crowd.leave()
    return found


async def avalanche(stack: Stack, given: argparse.Namespace) -> list[str]:
    """The gateway is killed under all its clients and started again at once."""
    crowd = Gathering(stack, given.clients or 2000, random.Random(given.seed))
    begun = time.monotonic()
    await crowd.enter()
    print(f"clients {len(crowd.clients)}, entered in {time.monotonic() - begun:.1f} s")
    for client in crowd.clients:
        client.catch_ups.clear()
    for number in range(3):
        await crowd.send(f"before {number}")
    killed = time.monotonic()
    await asyncio.to_thread(stack.kill, "web 1")
    crowd.web.start()
    await asyncio.to_thread(crowd.web.wait_ready, crowd.backend.base_url, 60)
    print(f"the gateway is ready again after {time.monotonic() - killed:.1f} s")
    await crowd.send("after")
    short = await crowd.short()
    print(f"all back and caught up after {time.monotonic() - killed:.1f} s, never returned {short}, "
          f"sends refused with 503 on the way {crowd.refused}")  # fmt: skip
    print(f"away, loss to live: {quantiles([one for c in crowd.clients for one in c.outages])}")
    print(f"catch-up, hello to live: {quantiles([one for c in crowd.clients for one in c.catch_ups])}")
    found = crowd.breaches() + ([f"{short} clients never returned"] if short else [])
    await crowd.leave()
    return found


async def slow(stack: Stack, given: argparse.Namespace) -> list[str]:
    """Ten readers and one more get alerts of 4 KB; half-way the one slows down to 1 KB/s.

    The fast ones must notice nothing: none of them waits longer than the bound, or than it did before.
    """
    crowd = Gathering(stack, 11, random.Random(given.seed))
    waits: list[float] = []

    def heard(client: LedgerClient, frame: Mapping[str, Any], at: float) -> None:
        if frame["op"] == "event" and client is not crowd.clients[0]:
            waits.append(at - frame["timestamp"] / 1000)

    async def phase(name: str) -> float:
        waits.clear()
        memory = [_memory(crowd.web.pid)]
        for _ in range(6):
            await crowd.flow((given.seconds or 60) / 6, 0.1, "x" * 4000)
            memory.append(_memory(crowd.web.pid))
        wanted = set(crowd.accepted)
        for client in crowd.clients[1:]:
            await client.wait_for(lambda ledger: wanted <= ledger.received.keys(), 20, "the fast have all")
        print(f"{name}: accepted to frame at the ten {quantiles(waits)}; web's memory, MB: {memory}")
        return max(waits)

    await crowd.enter(heard)
    before = await phase("eleven fast")
    tardy, had = crowd.clients[0], len(crowd.clients[0].ledger.received)
    crowd.proxies[0].rate = 1000
    crowd.proxies[0].cut_all()  # its next connection is the slow one
    longest = await phase("ten fast, one slow")
    print(f"the slow one has {len(tardy.ledger.received) - had} of {len(crowd.accepted) - had}, "
          f"its closes: {[code for code, _ in tardy.closes]}")  # fmt: skip
    found = crowd.breaches()
    if longest > max(given.bound, 1.5 * before):
        found.append(
            f"a fast reader waited {longest * 1000:.0f} ms, before it {before * 1000:.0f} ms at most"
        )
    await crowd.leave()
    return found


def _memory(pid: int) -> int:
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(process.memory_info().rss for process in processes) // 1_000_000


MEASUREMENTS = {"jitter": jitter, "avalanche": avalanche, "slow": slow}


def main() -> int:
    """Parse the command line and measure; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.crowds", description=__doc__)
    parser.add_argument("measurement", choices=MEASUREMENTS)
    parser.add_argument("--backend", choices=("production", "embedded"), default="production")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=0, help="another number of clients")
    parser.add_argument("--seconds", type=float, default=0, help="another length")
    parser.add_argument("--bound", type=float, default=0.1, help="seconds that a fast reader may wait")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="live-crowds-"))
    stack = Stack(given.backend, folder / "stack")
    try:
        stack.start()
        print(f"{given.measurement}, {given.backend}, seed {given.seed}, {psutil.cpu_count()} cores, "
              f"Python {platform.python_version()}")  # fmt: skip
        found = asyncio.run(MEASUREMENTS[given.measurement](stack, given))
    finally:
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for breach in found[:6]:
        print(f"BREACH {breach[:1500]}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
