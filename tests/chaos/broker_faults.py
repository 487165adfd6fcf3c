"""Faults of the broker that do not cut a connection; each is undone some seconds later."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable

from tests.chaos.stack import Stack
from tests.harness import rabbit_faults as rabbit
from tests.harness.rabbitmq import PrivateRabbit


def _node(stack: Stack) -> PrivateRabbit:
    node = stack.services["rabbitmq"]
    assert isinstance(node, PrivateRabbit)
    return node


async def delete(what: Callable[[PrivateRabbit], None], stack: Stack, rng: random.Random) -> None:
    """Delete something at the broker, a few times; only the gateways declare it again."""
    for _ in range(3):
        await asyncio.to_thread(what, _node(stack))
        await asyncio.sleep(rng.uniform(0.5, 3))


async def alarm(what: Callable[..., None], stack: Stack, rng: random.Random) -> None:
    """Block publishers for some seconds."""
    await asyncio.to_thread(what, _node(stack), on=True)
    try:
        await asyncio.sleep(rng.uniform(2, 6))
    finally:
        await asyncio.to_thread(what, _node(stack), on=False)


async def take_permission(stack: Stack, rng: random.Random) -> None:
    """Take one permission after the other for some seconds, and give it back."""
    for which in rng.sample(rabbit.PERMISSIONS, 3):
        await asyncio.to_thread(rabbit.without_permission, _node(stack), which)
        try:
            await asyncio.sleep(rng.uniform(1, 6))
        finally:
            await asyncio.to_thread(rabbit.permissions, _node(stack))
        await asyncio.sleep(rng.uniform(0, 2))


async def delete_folders(stack: Stack, rng: random.Random) -> None:
    """Delete the file broker's folders, one kind or all, a few times."""
    folder = stack.backends[0].var_dir / "broker"
    for part in rng.sample(["events", "events/bindings", "tasks", "control", "."], 3):
        await asyncio.to_thread(shutil.rmtree, folder / part, ignore_errors=True)
        await asyncio.sleep(rng.uniform(0.5, 3))
