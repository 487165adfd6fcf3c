"""Avalanche: the web process is killed (SIGKILL) under all its clients, which come back by our rule.

Counted: the time from the kill until each client is live again and has everything (p95), and those
that never return. The rule is the browser client's: full jitter, from 0.5 s doubling to 30 s.

python -m bench.avalanche [--clients 2000] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time

import psutil

from bench.stage import Figures, Steady, crowd, leave, stage, verified
from tests.harness.client import Backoff, LedgerClient
from tests.harness.site import Site

MISSED = 400  # alerts sent while everybody is away


def web_processes(site: Site) -> list[psutil.Process]:
    """gunicorn's master and worker, below `notifier up`."""
    below = psutil.Process(site.processes[0].pid).children(recursive=True)
    return [process for process in below if "gunicorn" in " ".join(process.cmdline())]


async def measure(site: Site, figures: Figures, *, clients: int, seed: int) -> None:
    users = [f"user-{number}" for number in range(clients)]
    crowded = []
    for number, user in enumerate(users):
        rng = random.Random(seed * 1_000_003 + number)
        client = LedgerClient(site.backend.ws_url, user, site.backend.token(user), device="d", rng=rng)
        client._backoff = Backoff(rng, base=0.5, cap=30.0)
        crowded.append(client)
    began = time.monotonic()
    tasks = await crowd(crowded)
    figures.values |= {
        "clients": clients,
        "seed": seed,
        "connects_s": round(clients / (time.monotonic() - began)),
    }
    steady = Steady(site, users)
    await steady.run(MISSED, 200)
    for process in web_processes(site):
        process.kill()
    killed = time.monotonic()
    back: list[float] = []

    async def until_back(client: LedgerClient) -> None:
        outages = len(client.outages)
        await client.wait_for(lambda _ledger: len(client.outages) > outages, 120, "back after the kill")
        back.append(time.monotonic() - killed)

    results = await asyncio.gather(*map(until_back, crowded), return_exceptions=True)
    never = [r for r in results if isinstance(r, BaseException)]
    await steady.run(MISSED, 200)
    for client in crowded:
        await client.wait_seq(steady.sent[client.user_id], 60)
    await leave(crowded, tasks)
    steady.close()
    figures.milliseconds("back", back)
    figures.values["never_returned"] = len(never)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    figures = Figures("avalanche")
    with stage("production") as site:
        asyncio.run(measure(site, figures, **vars(given)))
        figures.values["verified"] = verified(site.backend)
    figures.show()
    if figures.values["never_returned"] or not figures.values["verified"]:
        raise SystemExit("a client never came back")


if __name__ == "__main__":
    main()
