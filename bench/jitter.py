"""Jitter (the method is AnyCable's): every client's connection is cut about every 15 s, for 2 s.

Meanwhile events are sent. Measured: the share of events that arrived, exactly once and in order, and the
time to catch up, from the network's return until the client is live again and has everything.
A browser tells its page of the network's return (`online`), and our client connects at once.

python -m bench jitter
"""

from __future__ import annotations

import asyncio
import random
import time

from bench.ours import running
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import NOTHING, Metric, Scenario, Values, at_least
from bench.sides import OURS
from bench.stage import Steady, crowd, leave
from tests.harness.client import LedgerClient
from tests.harness.site import Site

EVERY, GAP = 15.0, 2.0  # seconds
NOWHERE = "ws://127.0.0.1:1/ws"  # connections are refused, as by a network that is down


class Link:
    """A client and its network."""

    def __init__(self, site: Site, user: str, device: str, seed: int) -> None:
        self.away = False
        self._rng = random.Random(seed)
        self.client = LedgerClient(
            lambda: NOWHERE if self.away else site.backend.ws_url,
            user,
            site.backend.token(user),
            device=device,
            rng=self._rng,
        )
        self.catch_ups: list[float] = []

    async def flaky(self) -> None:
        """Cut the connection, wait, and let it return, again and again."""
        await asyncio.sleep(self._rng.uniform(0, EVERY))
        while True:
            self.away = True
            self.client.cut()
            await asyncio.sleep(GAP)
            self.away = False
            returned = time.monotonic()
            self.client.wake()
            await self.client.wait_live(60)
            self.catch_ups.append(time.monotonic() - returned)
            await asyncio.sleep(self._rng.uniform(0.8, 1.2) * EVERY - GAP)


async def play(site: Site, *, clients: int, seconds: float, rate: float, seed: int) -> Values:
    """Send events while the connections are cut; then compare what each client has."""
    users = [f"user-{number}" for number in range(clients // 2)]
    links = [Link(site, user, device, seed * 1_000_003 + number)
             for number, (user, device) in enumerate((u, d) for u in users for d in ("a", "b"))]  # fmt: skip
    tasks = await crowd([link.client for link in links])
    steady = Steady(site, users)
    flaky = [asyncio.create_task(link.flaky()) for link in links]
    await steady.run(int(seconds * rate), rate)
    for task in flaky:
        task.cancel()
    broken = [r for r in await asyncio.gather(*flaky, return_exceptions=True) if isinstance(r, Exception)]
    expected = arrived = never = 0
    for link in links:
        link.away = False
        link.client.wake()
    for link in links:
        want = steady.sent[link.client.user_id]
        try:
            await link.client.wait_seq(want, 60)
        except Exception as exc:
            print(f"{link.client.user_id}: {exc}")
            never += 1
        expected += want
        arrived += len(link.client.ledger.order)
    await leave([link.client for link in links], tasks)
    steady.close()
    return {
        "cuts": sum(len(link.catch_ups) for link in links),
        "expected": expected,
        "arrived": arrived,
        "lost": expected - arrived,
        "delivered_percent": round(100 * arrived / expected, 4),
        "never_returned": never + len(broken),
        **milliseconds("catch_up", [seconds for link in links for seconds in link.catch_ups]),
    }


def measure(name: str, *, seed: int, clients: int, seconds: float, rate: float) -> Values:  # noqa: ARG001
    """One round."""
    with running(crowd=clients // 2) as site:
        return asyncio.run(play(site, clients=clients, seconds=seconds, rate=rate, seed=seed))


SCENARIO = Scenario(
    name="jitter",
    title="Flaky connections",
    about="500 clients whose TCP connections are cut about every 15 s, for 2 s, while 50 alerts a second "
    "are sent for 120 s (the method is AnyCable's). Caught up: from the network's return until live, "
    "with everything.",
    sides=(OURS,),
    full={"clients": 500, "seconds": 120.0, "rate": 50.0},
    pilot={"clients": 40, "seconds": 20.0, "rate": 20.0},
    metrics=(
        Metric("delivered_percent", "delivered", "%", less=False, goal=at_least(100, "%")),
        Metric("catch_up_p50_ms", "caught up after, p50", "ms"),
        Metric("catch_up_p99_ms", "caught up after, p99", "ms"),
        Metric("never_returned", "never returned", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
