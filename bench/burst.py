"""A burst of single POSTs, several at a time, until every alert has arrived at its user.

python -m bench burst
"""

from __future__ import annotations

import asyncio
import time

from bench.load.apart import apart
from bench.load.http import Poster, alert
from bench.load.sockets import Crowd
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import NOTHING, Goal, Metric, Scenario, Values
from bench.sides import DURABLE_PIPELINES, FLASK, NODE, side
from bench.target import Target, user

PATIENCE = 180.0  # seconds after which a missing alert counts as lost


async def load(target: Target, *, count: int, at_once: int, users: int) -> Values:
    """Warm up with a few, then POST all, as fast as `at_once` callers can."""
    crowd = Crowd(target, [user(number) for number in range(users)])
    await crowd.enter()
    poster = Poster(target)
    warm = at_once * 4
    await burst(poster, warm, at_once, users, "warm")
    await crowd.have(warm, 30)
    start = time.monotonic()
    began = await burst(poster, count, at_once, users, "")
    accepted = time.monotonic() - start
    await crowd.have(warm + count, PATIENCE)
    frames = {title: at for title, at in crowd.times().items() if title in began}
    delivered = max(frames.values()) - start
    poster.close()
    await crowd.leave()
    return {
        "lost": count - len(frames),
        "doubled": crowd.doubled,
        "accepted_per_s": round(count / accepted, 1),
        "delivered_per_s": round(len(frames) / delivered, 1),
        **milliseconds("frame", [at - began[title] for title, at in frames.items()]),
    }


async def burst(poster: Poster, count: int, at_once: int, users: int, prefix: str) -> dict[bytes, float]:
    """POST `count` alerts from `at_once` callers; return when each began."""
    began: dict[bytes, float] = {}
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            title = f"{prefix}{number}"
            began[title.encode()] = time.monotonic()
            status = await poster.post("/api/notifications", alert(user(number % users), title))
            assert status == 202, status

    await asyncio.gather(*(caller() for _ in range(at_once)))
    return began


def measure(name: str, *, seed: int, count: int, at_once: int, users: int) -> Values:  # noqa: ARG001
    """One round of one side."""
    with side(name, crowd=users) as target:
        return apart(load, target, count=count, at_once=at_once, users=users)


SCENARIO = Scenario(
    name="burst",
    title="A burst of single POSTs",
    about="3,000 POSTs of one alert each, 16 at a time, to 300 connected users; until the last one has "
    "arrived.",
    sides=DURABLE_PIPELINES,
    full={"count": 3_000, "at_once": 16, "users": 300},
    pilot={"count": 300, "at_once": 16, "users": 50},
    metrics=(
        Metric(
            "delivered_per_s",
            "delivered",
            "/s",
            less=False,
            goal=Goal("≥ 3 times Flask, ≥ 1 times Node", of={FLASK: 3.0, NODE: 1.0}),
        ),
        Metric("accepted_per_s", "accepted", "/s", less=False),
        Metric("frame_p99_ms", "POST → frame, p99", "ms"),
        Metric("lost", "lost", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
