"""Avalanche: the web process is killed (SIGKILL) under all its clients, which reconnect.

Measured: the time from the kill until each client is live again and has everything (p95), and the clients
that never return. They reconnect like the browser client: full jitter, from 0.5 s doubling to 30 s.

python -m bench avalanche
"""

from __future__ import annotations

import asyncio
import random
import time

import psutil

from bench.ours import running
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import NOTHING, Metric, Scenario, Values
from bench.sides import OURS
from bench.stage import Steady, crowd, leave
from tests.harness.client import Backoff, LedgerClient
from tests.harness.site import Site

MISSED = 400  # alerts sent while no client is connected


def web_processes(site: Site) -> list[psutil.Process]:
    """Return gunicorn's master and worker, children of `notifier up`."""
    below = psutil.Process(site.processes[0].pid).children(recursive=True)
    return [process for process in below if "gunicorn" in " ".join(process.cmdline())]


async def play(site: Site, *, clients: int, seed: int) -> Values:
    """Connect all clients, kill the web process, and wait until all are live again."""
    users = [f"user-{number}" for number in range(clients)]
    crowded = []
    for number, user in enumerate(users):
        rng = random.Random(seed * 1_000_003 + number)
        client = LedgerClient(site.backend.ws_url, user, site.backend.token(user), device="d", rng=rng)
        client._backoff = Backoff(rng, base=0.5, cap=30.0)
        crowded.append(client)
    began = time.monotonic()
    tasks = await crowd(crowded)
    connects = round(clients / (time.monotonic() - began))
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
    return {
        "connects_per_s": connects,
        "never_returned": len(never),
        "all_back_s": round(max(back), 2),
        **milliseconds("back", back),
    }


def measure(name: str, *, seed: int, clients: int) -> Values:  # noqa: ARG001
    """One round."""
    with running(crowd=clients) as site:
        return asyncio.run(play(site, clients=clients, seed=seed))


SCENARIO = Scenario(
    name="avalanche",
    title="The gateway is killed under its clients",
    about="The web process gets SIGKILL under 2,000 clients, which come back by the browser client's rule: "
    "full jitter, from 0.5 s doubling to 30 s. Until each is live again and has what was sent before "
    "and after.",
    sides=(OURS,),
    full={"clients": 2_000},
    pilot={"clients": 50},
    metrics=(
        Metric("back_p95_ms", "back after the kill, p95", "ms"),
        Metric("all_back_s", "the last one", "s"),
        Metric("never_returned", "never returned", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
