"""Kill one part after the other under load, and measure what the clients notice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.crowd import CUT, Crowd
from tests.chaos.load import Load
from tests.chaos.run import PATIENCE_SECONDS, Outcome, recovered, under_load
from tests.cluster.stack import GATEWAYS, NODES, ClusterStack
from tests.harness.client import LedgerClient

PARTS = (
    *(f"node {number}" for number in range(1, NODES + 1)),
    *(f"web {number}" for number in range(1, GATEWAYS + 1)),
)


@dataclass(frozen=True)
class Death:
    """The effect of one death, from the kill until the part runs again and every client has everything.

    Attributes:
        accepted: calls over HTTP that were answered with 202.
        delivered: events that arrived at the clients.
        repeated: calls that their senders had to repeat.
        apart: for each socket lost, the seconds until its client was live again.
        late: the longest from an alert's acceptance to its arrival, in seconds.
        caught_up: seconds until the last client had everything accepted so far, with the part still dead.
        breaches: promises broken.

    `apart` and `late` count only clients whose own network was never cut.
    """

    part: str
    accepted: int
    delivered: int
    repeated: int
    apart: list[float]
    late: float
    caught_up: float
    breaches: int


class Watch:
    """What clients have seen since `begin`."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start counting at zero."""
        self.delivered = 0
        self.late = 0.0
        self.apart: list[float] = []

    def heard(self, client: LedgerClient, frame: Mapping[str, Any], at: float) -> None:
        """Take a frame that arrived at `at` (seconds since 1970)."""
        self.delivered += frame["op"] == "event"
        if client.device == CUT:
            return
        if frame["op"] == "live" and client.ledger.connections > 1:
            self.apart.append(client.outages[-1])
        if frame["op"] == "event" and "id" in frame:
            self.late = max(self.late, at - frame["timestamp"] / 1000)


async def campaign(
    stack: ClusterStack,
    parts: Iterable[str],
    seed: int,
    told: Callable[[Death], None],
    patience: float = PATIENCE_SECONDS,
) -> Outcome:
    """Kill the parts one after the other on a running stack; `told` is called after each."""
    outcome = Outcome("each part in turn", seed)
    rng = random.Random(seed)
    watch = Watch()
    async with under_load(stack, outcome, rng, patience, watch.heard) as (crowd, load):
        for part in parts:
            watch.begin()
            told(await _kill(stack, part, rng, crowd, load, outcome, watch, patience))
    return outcome


async def _kill(
    stack: ClusterStack,
    part: str,
    rng: random.Random,
    crowd: Crowd,
    load: Load,
    outcome: Outcome,
    watch: Watch,
    patience: float,
) -> Death:
    accepted, repeated, breaches = len(load.recipients), load.repeated, _breaches(crowd, load, outcome)
    await asyncio.to_thread(stack.kill, part)
    await asyncio.sleep(rng.uniform(1, 3))  # its supervisor waits a while, and the traffic continues
    caught_up = await recovered(crowd, load, outcome, patience)
    await asyncio.to_thread(stack.start_again, part)
    await recovered(crowd, load, outcome, patience)
    await asyncio.sleep(rng.uniform(0.5, 1.5))
    return Death(
        part,
        len(load.recipients) - accepted,
        watch.delivered,
        load.repeated - repeated,
        watch.apart,
        watch.late,
        caught_up,
        _breaches(crowd, load, outcome) - breaches,
    )


def _breaches(crowd: Crowd, load: Load, outcome: Outcome) -> int:
    """Return the breaches so far; `under_load` finds more at the end."""
    broken = sum(client.failure is not None for client in crowd.clients)
    return outcome.breaches.total() + len(load.refusals) + broken
