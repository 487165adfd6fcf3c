"""A flood beside good clients: first they are alone, then they are not, and every alert is accounted for."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass

from tests.flood.attack import LONGEST, Attack
from tests.harness import processes
from tests.harness.neighbours import Neighbours
from tests.harness.processes import Process
from tests.harness.site import Site

GOOD_KEY = "a-key-of-a-good-backend-0123456789"
BAD_KEY = "a-key-that-floods-0123456789abcdef"
VICTIM, GREEDY = "victim", "greedy"


@dataclass(frozen=True)
class Size:
    """How much of everything.

    Attributes:
        good: clients, a user each; `alerts` a second to all of them together.
        alone, flooded: seconds to measure them in.
        pause, silent, heads, bodies, sockets: as in `Attack`.
        posts_per_minute: what a key may; the flooding one does `times` as much.
    """

    good: int
    alerts: float
    alone: float
    flooded: float
    pause: float
    silent: int
    heads: int
    bodies: int
    sockets: int
    posts_per_minute: int
    times: int = 10


@dataclass(frozen=True)
class Flooded:
    """What came of it: the good clients' times without and with the flood, and what the attackers met."""

    alone: list[float]
    flooded: list[float]
    outcomes: Counter[str]


def settings(size: Size) -> dict[str, str]:
    """What the site needs: two keys, and a limit that can be reached tenfold."""
    return {
        "NOTIFIER_API_KEYS": f"{GOOD_KEY},bad:send:{BAD_KEY}",
        "NOTIFIER_POSTS_PER_MINUTE": str(size.posts_per_minute),
        "NOTIFIER_DEMO": "0",
    }


async def flood(site: Site, size: Size, awaited: Collection[str] = ()) -> Flooded:
    """Let good clients live beside a flood; a longer one, when what is awaited has not been met in time."""
    neighbours = Neighbours(site, [f"good-{number}" for number in range(size.good)], 1 / size.alerts)
    await neighbours.enter()
    await asyncio.sleep(size.alone)  # this long they are alone: a measurement, not a wait for something
    alone = neighbours.taken()
    attackers = _attackers(site, size, awaited)
    try:
        ended = await asyncio.to_thread(attackers.wait, size.flooded * LONGEST + 60)
    finally:
        attackers.kill()
    assert ended == 0, attackers.tail()
    flooded = neighbours.taken()
    await neighbours.leave()
    return Flooded(alone, flooded, Counter(json.loads(attackers.tail(1))))


def _attackers(site: Site, size: Size, awaited: Collection[str]) -> Process:
    attack = Attack(
        port=site.backend.port, seconds=size.flooded, pause=size.pause, silent=size.silent, heads=size.heads,
        bodies=size.bodies, key=BAD_KEY, posts=size.times * size.posts_per_minute / 60, victim=VICTIM,
        token=site.backend.token(GREEDY), sockets=size.sockets, awaited=sorted(awaited),
    )  # fmt: skip
    command = [sys.executable, "-m", "tests.flood.attack", json.dumps(asdict(attack))]
    return Process("attackers", command, env={}, log=site.logs / "attackers.log", cwd=processes.REPO).start()
