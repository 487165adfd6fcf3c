"""Time from a publish to the frame: the broker and the gateway, without API and worker.

python -m bench through
"""

from __future__ import annotations

import time

from bench.load.apart import apart
from bench.load.sockets import Crowd
from bench.python_api import sent
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import NOTHING, Metric, Scenario, Values, at_most
from bench.sides import NCHAN, OURS, PYTHON_SOCKETIO, SOCKETIO, WEBSOCKETS, side
from bench.target import Target, user


async def load(target: Target, *, sockets: int, rate: int, count: int) -> Values:
    """Connect all, start the publisher, and take the time of each publish from the title."""
    crowd = Crowd(target, [user(number) for number in range(sockets)], ack_seconds=3_600)
    await crowd.enter()
    assert target.publisher is not None
    start = time.monotonic()
    await sent(target.publisher, count, rate, sockets)
    await crowd.have(count, 30)
    waits = [at - int(title) / 1e9 for title, at in crowd.times().items()]
    await crowd.leave()
    return {
        "lost": count - len(waits),
        "publisher_s": round(time.monotonic() - start, 1),
        **milliseconds("through", waits),
    }


def measure(name: str, *, seed: int, sockets: int, rate: int, count: int) -> Values:  # noqa: ARG001
    """One round of one side."""
    # What is published here is in no table, so heads are not compared and no audit is run.
    with side(name, crowd=sockets, web_alone=True, check=False, NOTIFIER_HEADS_INTERVAL="86400") as target:
        return apart(load, target, sockets=sockets, rate=rate, count=count)


SCENARIO = Scenario(
    name="through",
    title="Publish to frame",
    about="2,000 sockets of as many users; a publisher in a process of its own publishes 500 messages a "
    "second, each to one user. Our side goes through RabbitMQ with a confirm for each, Socket.IO, "
    "python-socketio and `websockets` go through Redis, Nchan is its own broker and gets a POST for "
    "each.",
    sides=(OURS, NCHAN, SOCKETIO, PYTHON_SOCKETIO, WEBSOCKETS),
    full={"sockets": 2_000, "rate": 500, "count": 5_000},
    pilot={"sockets": 100, "rate": 200, "count": 400},
    metrics=(
        Metric("through_p50_ms", "publish → frame, p50", "ms", goal=at_most(1, "ms")),
        Metric("through_p99_ms", "publish → frame, p99", "ms", goal=at_most(3, "ms")),
        Metric("lost", "lost", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
