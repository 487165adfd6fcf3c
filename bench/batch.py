"""Many alerts in few calls, until every one has arrived at its user.

python -m bench batch
"""

from __future__ import annotations

import asyncio
import json
import time
from asyncio.subprocess import PIPE

from bench.burst import PATIENCE
from bench.load.apart import apart
from bench.load.http import Poster, alert
from bench.load.sockets import Crowd
from bench.run import alone
from bench.scenario import NOTHING, Goal, Metric, Scenario, Values, at_least
from bench.sides import NODE_BULK, OURS, side
from bench.target import Command, Target, user
from tests.harness.processes import clean_env

BATCH = 1_000  # alerts of one call
WARM = 2  # batches, not counted


async def load(target: Target, *, count: int, at_once: int, users: int) -> Values:
    """Send all in batches, and listen until everything has arrived."""
    crowd = Crowd(target, [user(number) for number in range(users)])
    await crowd.enter()
    await send(target, WARM * BATCH, at_once, users)
    await crowd.have(WARM * BATCH, 60)
    crowd.forget()
    accepted = await send(target, count, at_once, users)
    start = time.monotonic() - accepted
    await crowd.have(count, PATIENCE)
    times = crowd.times().values()
    await asyncio.sleep(0.5)  # what comes twice
    await crowd.leave()
    return {
        "lost": count - len(times),
        "doubled": crowd.doubled,
        "accepted_per_s": round(count / accepted, 1),
        "delivered_per_s": round(len(times) / (max(times) - start), 1),
    }


async def send(target: Target, count: int, at_once: int, users: int) -> float:
    """Send `count` alerts, `at_once` calls at a time; return the seconds until all were accepted."""
    if target.sender is not None and target.name != OURS:
        return await _told(target.sender, count, at_once, users)
    poster = Poster(target)
    bodies = iter([_body(range(first, min(first + BATCH, count)), users) for first in range(0, count, BATCH)])

    async def caller() -> None:
        for body in bodies:
            status = await poster.post("/api/notifications/batch", body)
            assert status == 202, status

    began = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(at_once)))
    took = time.monotonic() - began
    poster.close()
    return took


def _body(numbers: range, users: int) -> bytes:
    alerts = [alert(user(number % users), str(number)) for number in numbers]
    return json.dumps({"notifications": alerts}).encode()


async def _told(sender: Command, *numbers: int) -> float:
    """Run a sender with these arguments; return the seconds that it says."""
    process = await asyncio.create_subprocess_exec(
        *sender.words, *map(str, numbers), cwd=sender.cwd, env=clean_env(sender.env), stdout=PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return float(said)


def measure(name: str, *, seed: int, count: int, at_once: int, users: int) -> Values:  # noqa: ARG001
    """One round of one side."""
    with side(name, crowd=users) as target:
        return apart(load, target, count=count, at_once=at_once, users=users)


SCENARIO = Scenario(
    name="batch",
    title="Many alerts in few calls",
    about="20,000 alerts in calls of 1,000, two calls at a time, to 300 connected users: "
    "`POST /api/notifications/batch`, which answers when all rows are committed, beside BullMQ's `addBulk`, "
    "which answers when the jobs are in Redis (its file is synced every second); there the worker of Express "
    "with the same promises stores them then. Until the last one has arrived.",
    sides=(OURS, NODE_BULK),
    full={"count": 20_000, "at_once": 2, "users": 300},
    pilot={"count": 2_000, "at_once": 2, "users": 50},
    metrics=(
        Metric(
            "delivered_per_s",
            "delivered",
            "/s",
            less=False,
            goal=Goal("≥ 3 times BullMQ's addBulk", of={NODE_BULK: 3.0}),
        ),
        Metric("accepted_per_s", "accepted", "/s", less=False, goal=at_least(10_000, "/s")),
        Metric("lost", "lost", "", goal=NOTHING),
        Metric("doubled", "twice", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
