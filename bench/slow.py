"""Slow client: ten fast readers and one at 1 KB/s, all of one user, for a minute of traffic.

Measured: how long a fast reader waits for an event (not over 100 ms because of the slow one; the same
minute without it is measured first), and how the web process's memory grows.

python -m bench slow
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from bench.avalanche import web_processes
from bench.ours import running
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import Metric, Scenario, Values, at_most
from bench.sides import OURS
from bench.stage import Steady, crowd, leave
from tests.harness.client import LedgerClient
from tests.harness.ledger import Ledger
from tests.harness.proxy import Proxy
from tests.harness.site import Site

FAST = 10
BYTES_PER_SECOND = 1_024
USER = "reader"


def memory(site: Site) -> float:
    """Return the memory of the web processes in MiB."""
    return sum(process.memory_info().rss for process in web_processes(site)) / 2**20


async def play(site: Site, *, seconds: float, rate: float) -> Values:
    """Measure the fast readers alone, then with the slow one."""
    steady = Steady(site, [USER], message="x" * 4_000)
    waits: list[float] = []

    def heard(_client: LedgerClient, frame: Mapping[str, Any], at: float) -> None:
        if frame["op"] == "event":
            waits.append(at - steady.began[frame["data"]["title"]])

    token = site.backend.token(USER)
    fast = [
        LedgerClient(site.backend.ws_url, USER, token, device=f"fast-{n}", heard=heard) for n in range(FAST)
    ]
    tasks = await crowd(fast)
    count = int(seconds * rate)
    await steady.run(count, rate)
    for client in fast:
        await client.wait_seq(steady.sent[USER], 30)
    without = milliseconds("without_slow", waits)
    waits.clear()
    before = memory(site)
    async with Proxy(site.backend.port, rate=BYTES_PER_SECOND) as proxy:
        slow = LedgerClient(
            f"ws://127.0.0.1:{proxy.port}/ws",
            USER,
            token,
            device="slow",
            after=steady.sent[USER],
            ledger=Ledger(USER, live_resets=True),
        )
        tasks += await crowd([slow])
        await steady.run(count, rate)
        for client in fast:
            await client.wait_seq(steady.sent[USER], 30)
        behind = steady.sent[USER] - (slow.ledger.seq or 0)
        growth = memory(site) - before
        await leave([*fast, slow], tasks)
    steady.close()
    return {
        "events": count,
        "slow_behind": behind,
        "memory_growth_mib": round(growth, 1),
        **without,
        **milliseconds("with_slow", waits),
    }


def measure(name: str, *, seed: int, seconds: float, rate: float) -> Values:  # noqa: ARG001
    """One round."""
    with running() as site:
        return asyncio.run(play(site, seconds=seconds, rate=rate))


SCENARIO = Scenario(
    name="slow",
    title="A slow reader beside fast ones",
    about="Ten sockets of one user that read at once, and one at 1 KB/s; 20 alerts of 4 KB a second for 60 "
    "s, first without the slow one, then with it.",
    sides=(OURS,),
    full={"seconds": 60.0, "rate": 20.0},
    pilot={"seconds": 5.0, "rate": 10.0},
    metrics=(
        Metric("with_slow_p99_ms", "the fast ones beside it, p99", "ms"),
        Metric("without_slow_p99_ms", "without it, p99", "ms"),
        Metric("with_slow_max_ms", "the fast ones beside it, at most", "ms", goal=at_most(100, "ms")),
        Metric("memory_growth_mib", "the web process has grown by", "MiB"),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
