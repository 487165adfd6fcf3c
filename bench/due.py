"""Scheduled alerts that are all due in the same second, until the last one has arrived.

python -m bench due
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from bench.load.apart import apart
from bench.load.http import Poster, alert
from bench.load.sockets import Crowd
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import NOTHING, Metric, Scenario, Values, at_most
from bench.sides import EMBEDDED, OURS, side
from bench.target import Target, user

BATCH = 1_000  # alerts of one POST
LEAD = 6.0  # seconds from the first POST until they are due
PATIENCE = 120.0


async def load(target: Target, *, count: int, users: int) -> Values:
    """Schedule all for one moment, and listen until everything has arrived."""
    crowd = Crowd(target, [user(number) for number in range(users)])
    await crowd.enter()
    poster = Poster(target)
    for number in range(users):
        await poster.post("/api/notifications", alert(user(number), f"warm{number}"))
    await crowd.have(users, 60)
    crowd.forget()
    due = time.time() + LEAD
    at = datetime.fromtimestamp(due, UTC).isoformat()
    for start in range(0, count, BATCH):
        some = [
            {**alert(user(number % users), str(number)), "deliver_at": at}
            for number in range(start, min(start + BATCH, count))
        ]
        status = await poster.post("/api/notifications/batch", {"notifications": some})
        assert status == 202, status
    spare = due - time.time()
    assert spare > 1, f"scheduling took too long: {spare:.1f} s were left"
    await crowd.have(count, LEAD + PATIENCE)
    await asyncio.sleep(1)  # whatever comes twice
    wall = time.time() - time.monotonic()
    late = [at + wall - due for at in crowd.times().values()]
    poster.close()
    await crowd.leave()
    return {
        "lost": count - len(late),
        "doubled": crowd.doubled,
        "early": sum(seconds < 0 for seconds in late),
        "first_s": round(min(late), 3),
        "last_s": round(max(late), 3),
        **milliseconds("late", late),
    }


def measure(name: str, *, seed: int, count: int, users: int) -> Values:  # noqa: ARG001
    """One round of one side."""
    with side(name, crowd=users) as target:
        return apart(load, target, count=count, users=users)


SCENARIO = Scenario(
    name="due",
    title="Ten thousand due in the same second",
    about="10,000 alerts with the same `deliver_at`, scheduled in ten batches, to 300 connected users. All "
    "times count from that moment, by the machine's clock.",
    sides=(OURS, EMBEDDED),
    full={"count": 10_000, "users": 300},
    pilot={"count": 1_000, "users": 50},
    metrics=(
        Metric("last_s", "the last one is there after", "s", goal=at_most(3, "s")),
        Metric("first_s", "the first one after", "s"),
        Metric("late_p50_ms", "due → frame, p50", "ms"),
        Metric("early", "early", "", goal=NOTHING),
        Metric("doubled", "twice", "", goal=NOTHING),
        Metric("lost", "lost", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
