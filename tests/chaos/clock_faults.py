"""Faults of the wall clocks: an hour ahead, an hour behind, and a jump back while everything runs."""

from __future__ import annotations

import asyncio
import random

from tests.chaos.stack import Stack
from tests.harness.fake_clock import faketime

PARTS = ("web 1", "worker 1")


async def wrong(stack: Stack, rng: random.Random) -> None:
    """Run web 1 and worker 1 with clocks that are an hour apart from the others', then jump to the other side."""
    clocks = {part: stack.folder / f"clock-of-{part.replace(' ', '-')}" for part in PARTS}
    offsets = rng.sample(["+1h", "-1h"], 2)
    for clock, offset in zip(clocks.values(), offsets, strict=True):
        clock.write_text(offset)
    await _restart(stack, {part: faketime(clock) for part, clock in clocks.items()})
    await asyncio.sleep(rng.uniform(2, 4))
    for clock, offset in zip(clocks.values(), reversed(offsets), strict=True):
        clock.write_text(offset)
    await asyncio.sleep(rng.uniform(2, 4))
    await _restart(stack, {part: {} for part in PARTS})


async def jump_back(stack: Stack, rng: random.Random) -> None:
    """Let the clocks of web 1 and worker 1 jump back an hour, while they run."""
    clock = stack.folder / "clock"
    clock.write_text("+0")
    await _restart(stack, dict.fromkeys(PARTS, faketime(clock)))
    await asyncio.sleep(rng.uniform(1, 3))
    clock.write_text("-1h")
    await asyncio.sleep(rng.uniform(3, 6))
    await _restart(stack, {part: {} for part in PARTS})


async def database_jumps_back(stack: Stack, rng: random.Random) -> None:
    """Let the clock of the database, by which everything is due, jump back an hour."""
    server, clock = stack.services["postgres"], stack.folder / "clock-of-postgres"
    clock.write_text("+0")
    server.extra_env = faketime(clock, python=False)
    await asyncio.to_thread(server.restart)
    await asyncio.sleep(rng.uniform(1, 3))
    clock.write_text("-1h")
    await asyncio.sleep(rng.uniform(3, 6))
    server.extra_env = {}
    await asyncio.to_thread(server.restart)


async def _restart(stack: Stack, parts: dict[str, dict[str, str]]) -> None:
    await asyncio.gather(*(asyncio.to_thread(stack.restart_with, part, **env) for part, env in parts.items()))
