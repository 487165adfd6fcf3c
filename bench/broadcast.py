"""One broadcast to ten thousand users, a tenth of them connected, and single alerts meanwhile.

python -m bench broadcast
"""

from __future__ import annotations

import asyncio
import time

import psycopg

from bench.load import http
from bench.load.apart import apart_meanwhile
from bench.load.sockets import Crowd
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import NOTHING, Metric, Scenario, Values, at_least, at_most
from bench.sides import PIPELINES, side
from bench.target import Target, user

BROADCAST = b"sale"
SOMEBODY = "somebody"  # who gets the single alerts
EVERY = 0.1  # seconds between two single alerts
LOOK = 0.02  # seconds between two counts of the rows
PATIENCE = 120.0


async def load(target: Target, *, users: int, connected: int) -> Values:
    """Connect some of the users, post the broadcast, and send single alerts until all have it."""
    crowd = Crowd(target, [user(number) for number in range(0, users, users // connected)][:connected])
    single = Crowd(target, [SOMEBODY])
    await crowd.enter()
    await single.enter()
    poster = http.Poster(target)
    await poster.post("/api/notifications", http.alert(SOMEBODY, "warm"))
    await single.have(1, 30)
    single.forget()
    start = time.monotonic()
    body = http.broadcast([user(number) for number in range(users)], BROADCAST.decode())
    posting = asyncio.create_task(poster.post("/api/notifications", body))
    began = await meanwhile(poster, crowd, connected, start)
    assert await posting == 202
    await single.have(len(began), 30)
    times = [at - start for (_, title), at in crowd.arrivals.items() if title == BROADCAST]
    waits = [at - began[title] for title, at in single.times().items()]
    poster.close()
    await crowd.leave()
    await single.leave()
    return {
        "start": start,
        "lost": connected - len(times) + len(began) - len(waits),
        "first_served_s": round(min(times), 3),
        "last_served_s": round(max(times), 3),
        "singles": len(waits),
        **milliseconds("single", waits),
    }


async def meanwhile(poster: http.Poster, crowd: Crowd, connected: int, start: float) -> dict[bytes, float]:
    """Send single alerts, one every EVERY seconds, until all have the broadcast; return when each began."""
    began: dict[bytes, float] = {}
    while len(crowd.arrivals) < connected and time.monotonic() < start + PATIENCE:
        await asyncio.sleep(EVERY)
        title = f"single {len(began)}"
        began[title.encode()] = time.monotonic()
        assert await poster.post("/api/notifications", http.alert(SOMEBODY, title)) == 202
    return began


def watch(target: Target, rows: int) -> list[tuple[float, int]]:
    """Count the stored deliveries again and again until there are `rows`."""
    assert target.database_url is not None
    query = f"{target.persisted} WHERE user_id <> '{SOMEBODY}'".encode()
    seen: list[tuple[float, int]] = []
    with psycopg.connect(target.database_url, autocommit=True) as connection:
        deadline = time.monotonic() + PATIENCE
        while (not seen or seen[-1][1] < rows) and time.monotonic() < deadline:
            row = connection.execute(query).fetchone()
            assert row is not None
            seen.append((time.monotonic(), row[0]))
            time.sleep(LOOK)
    return seen


def measure(name: str, *, seed: int, users: int, connected: int) -> Values:  # noqa: ARG001
    """One round of one side."""
    with side(name, crowd=connected) as target:
        pool, load_ends = apart_meanwhile(load, target, users=users, connected=connected)
        with pool:
            seen = watch(target, users)
            values = load_ends.result()
        start = values.pop("start")
        persisted = seen[-1][0] - start
        return {
            **values,
            "persisted_s": round(persisted, 3),
            "persisted_per_s": round(users / persisted, 1) if seen[-1][1] >= users else 0.0,
        }


SCENARIO = Scenario(
    name="broadcast",
    title="One broadcast to 10,000 users",
    about="One POST to 10,000 users, 1,000 of them connected, and single alerts to somebody else every 0.1 "
    "s until the last one of the 1,000 has the broadcast. All times count from the start of the POST; "
    "the rows are counted every 20 ms from outside.",
    sides=PIPELINES,
    full={"users": 10_000, "connected": 1_000},
    pilot={"users": 1_000, "connected": 100},
    metrics=(
        Metric("persisted_per_s", "persisted", "/s", less=False, goal=at_least(15_000, "/s")),
        Metric("last_served_s", "last socket served after", "s", goal=at_most(1.5, "s")),
        Metric("single_p50_ms", "a single alert meanwhile, p50", "ms", goal=at_most(100, "ms")),
        Metric("single_max_ms", "the slowest single alert", "ms", goal=at_most(100, "ms")),
        Metric("lost", "lost", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
