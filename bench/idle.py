"""Thousands of idle sockets on one gateway process: what each costs, and how quickly they connect.

python -m bench idle
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psutil

from bench.load.apart import apart
from bench.load.sockets import Crowd
from bench.run import alone
from bench.scenario import NOTHING, Metric, Scenario, Values, at_least, at_most
from bench.sides import FLASK_SOCK, NCHAN, OURS, PYTHON_SOCKETIO, SOCKETIO, WEBSOCKETS, side
from bench.target import Target, user

SETTLE = 4.0  # seconds after the last one has connected
WARM = 50  # sockets that connect and leave first, so that what is allocated once does not count


async def load(target: Target, *, sockets: int, at_once: int) -> Values:
    """Measure the gateway's memory, connect all, measure it again."""
    warm = Crowd(target, [f"warm-{number}" for number in range(WARM)], deflate=True)
    await warm.enter()
    await warm.leave()
    await asyncio.sleep(1)
    before, broker_before = weigh(target.gateway), weigh([target.broker] if target.broker else [])
    crowd = Crowd(target, [user(number) for number in range(sockets)], deflate=True)
    took = await crowd.enter(at_once)
    await asyncio.sleep(SETTLE)
    after, broker_after = weigh(target.gateway), weigh([target.broker] if target.broker else [])
    open_now = sum(socket.is_open for socket in crowd.sockets)
    await crowd.leave()
    values: Values = {
        "connects_per_s": round(sockets / took, 1),
        "rss_kb_each": round((after["rss"] - before["rss"]) / sockets / 1024, 2),
        "pss_kb_each": round((after["pss"] - before["pss"]) / sockets / 1024, 2),
        "open": open_now,
        "lost": sockets - open_now,
        "retries": crowd.retries,
    }
    if target.broker:
        values["broker_kb_each"] = round((broker_after["rss"] - broker_before["rss"]) / sockets / 1024, 2)
    return values


def weigh(pids: Sequence[int]) -> dict[str, int]:
    """Return RSS and PSS of processes and their children, in bytes."""
    total = {"rss": 0, "pss": 0}
    for pid in pids:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            memory = process.memory_full_info()
            total["rss"] += memory.rss
            total["pss"] += getattr(memory, "pss", memory.rss)
    return total


def measure(name: str, *, seed: int, sockets: int, at_once: int) -> Values:  # noqa: ARG001
    """One round of one side."""
    with side(name, crowd=sockets, web_alone=True) as target:
        return apart(load, target, sockets=sockets, at_once=at_once)


SCENARIO = Scenario(
    name="idle",
    title="Idle sockets on one gateway process",
    about="8,000 sockets of as many users, 100 at a time, each offering permessage-deflate as browsers do; "
    "then nothing happens for 4 s. What the gateway's processes have grown by (RSS, and PSS, which "
    "counts shared pages once), divided by the sockets. A socket counts as connected when the server "
    "has said so in its own protocol. Our side checks a token, reads SQL and binds a queue for each; "
    "`broker_kb_each` is what RabbitMQ has grown by.",
    sides=(OURS, NCHAN, SOCKETIO, PYTHON_SOCKETIO, WEBSOCKETS, FLASK_SOCK),
    full={"sockets": 8_000, "at_once": 100},
    pilot={"sockets": 200, "at_once": 50},
    metrics=(
        Metric("rss_kb_each", "memory each (RSS)", "KB", goal=at_most(30, "KB")),
        Metric("pss_kb_each", "memory each (PSS)", "KB"),
        Metric("connects_per_s", "connects", "/s", less=False, goal=at_least(500, "/s")),
        Metric("broker_kb_each", "in the broker, each", "KB"),
        Metric("lost", "not open at the end", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
