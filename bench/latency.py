"""Time from the start of a POST until the client has the frame, at a steady rate.

python -m bench latency
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from bench.load.apart import apart
from bench.load.http import Poster, alert
from bench.load.sockets import Crowd
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import NOTHING, Goal, Metric, Scenario, Values
from bench.sides import DURABLE_PIPELINES, EMBEDDED, side
from bench.target import Target, user

SLOWER = 0.4  # the embedded default is measured at this share of the rate


async def load(target: Target, *, rate: float, count: int, users: int, first: int = 0) -> Values:
    """Warm up, then `count` POSTs at `rate` a second, to one user after another, from number `first` on."""
    names = [user(number) for number in range(first, first + users)]
    crowd = Crowd(target, names, ack_seconds=0)
    await crowd.enter()
    poster = Poster(target)
    warm = max(10, count // 10)
    await steady(poster, warm, rate, names, "warm")
    await crowd.have(warm, 30)
    began, posts = await steady(poster, count, rate, names, "")
    await crowd.have(warm + count, 30)
    frames = {title: at - began[title] for title, at in crowd.times().items() if title in began}
    poster.close()
    await crowd.leave()
    return {
        "lost": count - len(frames),
        "doubled": crowd.doubled,
        **milliseconds("frame", list(frames.values())),
        **milliseconds("post", posts),
    }


async def steady(
    poster: Poster, count: int, rate: float, users: Sequence[str], prefix: str
) -> tuple[dict[bytes, float], list[float]]:
    """POST at a steady rate, however long the answers take; return when each began and how long each took."""
    began: dict[bytes, float] = {}
    posts: list[float] = []
    start = time.monotonic()

    async def one(number: int) -> None:
        title = f"{prefix}{number}"
        at = began[title.encode()] = time.monotonic()
        status = await poster.post("/api/notifications", alert(users[number % len(users)], title))
        assert status == 202, status
        posts.append(time.monotonic() - at)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            group.create_task(one(number))
    return began, posts


def measure(name: str, *, seed: int, rate: float, count: int, users: int) -> Values:  # noqa: ARG001
    """One round of one side."""
    if name == EMBEDDED:
        rate, count, users = rate * SLOWER, int(count * SLOWER), min(users, 50)
    with side(name, crowd=users) as target:
        return {"rate": rate, "users": users, **apart(load, target, rate=rate, count=count, users=users)}


SCENARIO = Scenario(
    name="latency",
    title="POST to frame",
    about="Alerts at 50/s to 300 connected users in turn; from the start of the POST until the frame has "
    "arrived at the user's socket. Our side and Express with the same promises store each before they "
    "answer, and their clients ack each one; the tutorials' pipelines answer when Redis has the job, and "
    "nothing is acked. The embedded default (SQLite, file broker): 20/s, 50 users.",
    sides=(*DURABLE_PIPELINES, EMBEDDED),
    full={"rate": 50.0, "count": 1_000, "users": 300},
    pilot={"rate": 50.0, "count": 100, "users": 50},
    metrics=(
        Metric("frame_p50_ms", "POST → frame, p50", "ms", goal=Goal("≤ the faster peer's", of_best=1.0)),
        Metric(
            "frame_p99_ms", "POST → frame, p99", "ms", goal=Goal("≤ 1.5 times the faster peer's", of_best=1.5)
        ),
        Metric("post_p50_ms", "the POST alone, p50", "ms"),
        Metric("lost", "lost", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
