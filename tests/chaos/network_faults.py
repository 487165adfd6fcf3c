"""Faults of the network between web 1 and worker 1 and a server; the other two parts have a good network.

The stack's `networks` lead to the servers: "postgres" and "rabbitmq".
"""

from __future__ import annotations

import asyncio
import random

from tests.chaos.stack import Stack
from tests.harness.bad_network import BadNetwork


async def delay(name: str, *, stack: Stack, rng: random.Random) -> None:
    """Let everything take some hundredths of a second each way, for some seconds."""
    network = stack.networks[name]
    network.delay = rng.uniform(0.02, 0.2)
    try:
        await asyncio.sleep(rng.uniform(3, 8))
    finally:
        await asyncio.to_thread(network.mend)


async def swallow(name: str, *, stack: Stack, rng: random.Random) -> None:
    """Let everything disappear for some seconds; connections that lost something stay silent for good."""
    network = stack.networks[name]
    network.swallows = True
    try:
        await asyncio.sleep(rng.uniform(2, 6))
    finally:
        await asyncio.to_thread(network.mend)


async def half_close(name: str, *, stack: Stack, rng: random.Random) -> None:
    """Tell one end of each connection that the other has ended, a few times."""
    network: BadNetwork = stack.networks[name]
    try:
        for _ in range(3):
            await asyncio.to_thread(network.half_close, rng)
            await asyncio.sleep(rng.uniform(0.5, 3))
    finally:
        await asyncio.to_thread(network.mend)
