"""Call `send_notification` from Python at full speed, until every alert has arrived at its user.

python -m bench python_api
"""

from __future__ import annotations

import asyncio
import time

from bench.burst import PATIENCE
from bench.load.apart import apart
from bench.load.sockets import Crowd
from bench.run import alone
from bench.scenario import NOTHING, Metric, Scenario, Values, at_least
from bench.sides import PIPELINES, side
from bench.target import Command, Target, user
from tests.harness.processes import clean_env


async def load(target: Target, *, count: int, users: int) -> Values:
    """Start the sender, and listen until everything has arrived."""
    crowd = Crowd(target, [user(number) for number in range(users)])
    await crowd.enter()
    assert target.sender is not None
    await sent(target.sender, users, users)  # warms the workers up; the measured senders are new processes
    await crowd.have(users, 60)
    crowd.forget()
    start = time.monotonic()
    await sent(target.sender, count, users)
    took = time.monotonic() - start
    await crowd.have(count, PATIENCE)
    times = crowd.times().values()
    began, ended = min(times), max(times)
    await crowd.leave()
    return {
        "lost": count - len(times),
        "doubled": crowd.doubled,
        "delivered_per_s": round(len(times) / (ended - began), 1),
        "sender_s": round(took, 2),
        "first_frame_s": round(began - start, 2),
    }


async def sent(sender: Command, *numbers: int) -> None:
    """Run a sender or a publisher with these arguments, and wait for its end."""
    process = await asyncio.create_subprocess_exec(
        *sender.words, *map(str, numbers), cwd=sender.cwd, env=clean_env(sender.env)
    )
    assert await process.wait() == 0


def measure(name: str, *, seed: int, count: int, users: int) -> Values:  # noqa: ARG001
    """One round of one side."""
    with side(name, crowd=users) as target:
        return apart(load, target, count=count, users=users)


SCENARIO = Scenario(
    name="python_api",
    title="Sending from an application",
    about="6,000 alerts sent by an application's own process, eight at a time: `send_notification` in eight "
    "threads, Celery's `delay` likewise, BullMQ's `add` in eight loops; to 300 connected users. The "
    "rate is that of the frames, from the first to the last, so that the start of the sender's "
    "process does not count.",
    sides=PIPELINES,
    full={"count": 6_000, "users": 300},
    pilot={"count": 500, "users": 50},
    metrics=(
        Metric("delivered_per_s", "delivered", "/s", less=False, goal=at_least(1_200, "/s")),
        Metric("sender_s", "the sender's process", "s"),
        Metric("lost", "lost", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
