"""A flood beside good clients: measured first without, then with the flood; every alert is accounted for."""

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
    """The sizes of a flood.

    Attributes:
        good: clients, a user each; `alerts` a second to all of them together.
        alone, flooded: seconds to measure without and with the flood.
        pause, silent, heads, bodies, sockets: as in `Attack`.
        posts_per_minute: the limit of a key; the flooding one sends `times` as many.
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
    """The result: the good clients' times without and with the flood, and the attackers' results."""

    alone: list[float]
    flooded: list[float]
    outcomes: Counter[str]


def settings(size: Size) -> dict[str, str]:
    """Return the site's settings: two keys, and a limit that can be exceeded tenfold."""
    return {
        "NOTIFIER_API_KEYS": f"{GOOD_KEY},bad:send:{BAD_KEY}",
        "NOTIFIER_POSTS_PER_MINUTE": str(size.posts_per_minute),
        "NOTIFIER_DEMO": "0",
    }


async def flood(site: Site, size: Size, awaited: Collection[str] = ()) -> Flooded:
    """Run good clients beside a flood, which lasts longer if awaited answers have not come in time."""
    neighbours = Neighbours(site, [f"good-{number}" for number in range(size.good)], 1 / size.alerts)
    await neighbours.enter()
    await asyncio.sleep(size.alone)  # the time without the flood: a measurement, not a wait for an event
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
