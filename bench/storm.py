"""A storm: all clients return at the same moment, each with missed alerts.

python -m bench storm
"""

from __future__ import annotations

import asyncio
import time

import psycopg

from bench.load import http
from bench.load.apart import apart
from bench.load.sockets import Crowd
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import NOTHING, Metric, Scenario, Values, at_most
from bench.sides import PIPELINES, side
from bench.target import Target, user

PATIENCE = 180.0


async def load(target: Target, *, clients: int, missed: int) -> Values:
    """Connect and close all clients, send alerts, and let all return at once."""
    users = [user(number) for number in range(clients)]
    known = Crowd(target, users, after=0)
    await known.enter()
    await known.leave()
    poster = http.Poster(target)
    for number in range(missed):
        assert await poster.post("/api/notifications", http.broadcast(users, f"missed {number}")) == 202
    poster.close()
    await stored(target, clients * missed)
    crowd = Crowd(target, users, after=0)
    start = time.monotonic()
    live = await crowd.enter(clients)
    await crowd.have(clients * missed, PATIENCE)
    last = max(crowd.arrivals.values()) - start
    await crowd.leave()
    return {
        "lost": clients * missed - len(crowd.arrivals),
        "doubled": crowd.doubled,
        "all_live_s": round(max(live, last), 2),
        "retries": crowd.retries,
        **milliseconds("missed", [at - start for at in crowd.arrivals.values()]),
    }


async def stored(target: Target, rows: int) -> None:
    """Wait until all the alerts are in the table."""
    assert target.database_url is not None
    deadline = time.monotonic() + PATIENCE
    with psycopg.connect(target.database_url, autocommit=True) as connection:
        while (row := connection.execute(target.persisted.encode()).fetchone()) is None or row[0] < rows:
            assert time.monotonic() < deadline, f"{row} of {rows} rows are stored"
            await asyncio.sleep(0.2)


def measure(name: str, *, seed: int, clients: int, missed: int) -> Values:  # noqa: ARG001
    """One round of one side."""
    with side(name, crowd=clients) as target:
        return apart(load, target, clients=clients, missed=missed)


SCENARIO = Scenario(
    name="storm",
    title="Everybody returns at once",
    about="2,000 clients that were here before connect in the same moment, each with 20 alerts that it "
    "missed; until the last one is live again and has them all. The peers read what was missed from "
    "their table when a client connects, as the Socket.IO tutorial does; our side checks a token, "
    "records the device, binds a queue and takes one consistent moment.",
    sides=PIPELINES,
    full={"clients": 2_000, "missed": 20},
    pilot={"clients": 100, "missed": 5},
    metrics=(
        Metric("all_live_s", "all live again after", "s", goal=at_most(6, "s")),
        Metric("missed_p50_ms", "a missed alert is there after, p50", "ms"),
        Metric("retries", "connects that had to be tried again", ""),
        Metric("lost", "lost", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
