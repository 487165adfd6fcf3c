"""From the start of a POST to the frame in the client's hands, durable and acked, at a steady rate.

python -m bench.latency [--backend production|embedded] [--rate 50] [--count 1000] [--users 300]
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from bench.stage import Figures, Steady, crowd, leave, stage, verified
from tests.harness.client import LedgerClient
from tests.harness.site import Site


async def measure(site: Site, figures: Figures, *, rate: float, count: int, users: int) -> None:
    names = [f"user-{number}" for number in range(users)]
    steady = Steady(site, names)
    frames: list[float] = []

    def heard(_client: LedgerClient, frame: Mapping[str, Any], at: float) -> None:
        if frame["op"] == "event":
            frames.append(at - steady.began[frame["data"]["title"]])

    clients = [
        LedgerClient(
            site.backend.ws_url, name, site.backend.token(name), device="bench", ack_every=1, heard=heard
        )
        for name in names
    ]
    tasks = await crowd(clients)
    await steady.run(min(count // 10, 100), rate)  # warm up
    await everything(clients, steady)
    frames.clear()
    steady.posts.clear()
    await steady.run(count, rate)
    await everything(clients, steady)
    await leave(clients, tasks)
    steady.close()
    figures.values |= {"rate": rate, "users": users, "sent": count, "received": len(frames)}
    figures.milliseconds("post", steady.posts)
    figures.milliseconds("frame", frames)


async def everything(clients: Sequence[LedgerClient], steady: Steady) -> None:
    """Wait until every client has what was sent to it."""
    for client in clients:
        await client.wait_seq(steady.sent[client.user_id], 30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=("production", "embedded"), default="production")
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--users", type=int, default=300)
    given = parser.parse_args()
    figures = Figures(f"latency, {given.backend}")
    with stage(given.backend) as site:
        asyncio.run(measure(site, figures, rate=given.rate, count=given.count, users=given.users))
        figures.values["verified"] = verified(site.backend)
    figures.show()
    if figures.values["received"] != given.count or not figures.values["verified"]:
        raise SystemExit("an alert was lost or doubled")


if __name__ == "__main__":
    main()
