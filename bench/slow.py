"""Slow client: ten fast readers and one at 1 KB/s, all of one user, for a minute of traffic.

Counted: how long a fast reader waits for an event (nobody may wait over 100 ms because of the slow one:
the same minute without it is measured first), and how the web process's memory grows.

python -m bench.slow [--seconds 60] [--rate 20]
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from typing import Any

from bench.avalanche import web_processes
from bench.stage import Figures, Steady, crowd, leave, stage, verified
from tests.harness.client import LedgerClient
from tests.harness.ledger import Ledger
from tests.harness.proxy import Proxy
from tests.harness.site import Site

FAST = 10
BYTES_PER_SECOND = 1_024
USER = "reader"


def memory(site: Site) -> float:
    """MiB that the web processes hold."""
    return sum(process.memory_info().rss for process in web_processes(site)) / 2**20


async def measure(site: Site, figures: Figures, *, seconds: float, rate: float) -> None:
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
    figures.milliseconds("without_slow", waits)
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
    figures.milliseconds("with_slow", waits)
    figures.values |= {
        "events": count,
        "slow_behind": behind,
        "slow_closes": [code for code, _ in slow.closes],
        "memory_growth_mib": round(growth, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=20)
    given = parser.parse_args()
    figures = Figures("slow reader")
    with stage("production") as site:
        asyncio.run(measure(site, figures, **vars(given)))
        figures.values["verified"] = verified(site.backend)
    figures.show()
    if not figures.values["verified"]:
        raise SystemExit("not everything is accounted for")


if __name__ == "__main__":
    main()
