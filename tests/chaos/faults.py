"""The list of faults by name: what is done to the stack, and undone.

A fault is a coroutine that ends when every part runs again: a killed part is started again, as its supervisor
would do, a frozen one continues. Blocking work happens in threads.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from functools import partial

from tests.chaos import broker_faults, clock_faults, database_faults, network_faults, steps
from tests.chaos.stack import Stack
from tests.harness import fake_clock, rabbit_faults
from tests.harness.services import can_mount

Fault = Callable[[Stack, random.Random], Awaitable[None]]
STEP_SECONDS = 20.0
HANGS = 3


async def kill(*parts: str, stack: Stack, rng: random.Random) -> None:
    """Kill parts with SIGKILL at almost the same time; start them again later, in any order."""
    for part in parts:
        await asyncio.to_thread(stack.kill, part)
        await asyncio.sleep(rng.uniform(0, 0.3) if len(parts) > 1 else 0)
    await asyncio.sleep(rng.uniform(0.2, 2))
    await asyncio.gather(*(asyncio.to_thread(stack.start_again, part) for part in parts))


async def freeze(*parts: str, stack: Stack, rng: random.Random) -> None:
    """Stop parts with SIGSTOP for some seconds: they hang, and their connections stay open."""
    for part in parts:
        stack.freeze(part)
    await asyncio.sleep(rng.uniform(1, 5))
    for part in parts:
        stack.thaw(part)


async def kill_while_frozen(frozen: str, killed: str, *, stack: Stack, rng: random.Random) -> None:
    """Freeze one part, and kill another meanwhile."""
    stack.freeze(frozen)
    await asyncio.sleep(rng.uniform(0.2, 1.5))
    await asyncio.to_thread(stack.kill, killed)
    await asyncio.sleep(rng.uniform(0.2, 1.5))
    stack.thaw(frozen)
    await asyncio.to_thread(stack.start_again, killed)


async def kill_pool_child(stack: Stack, rng: random.Random) -> None:
    """Kill a pool child with SIGKILL, a few times."""
    for _ in range(3):
        await asyncio.to_thread(stack.kill_pool_child)
        await asyncio.sleep(rng.uniform(0.3, 1))


async def freeze_pool_child(stack: Stack, rng: random.Random) -> None:
    """Freeze a pool child with SIGSTOP for some seconds."""
    child = await asyncio.to_thread(stack.freeze_pool_child)
    await asyncio.sleep(rng.uniform(1, 5))
    child.resume()


async def restart(part: str, *, stack: Stack, rng: random.Random) -> None:
    """Stop with SIGTERM and start again, as a deployment does."""
    await asyncio.to_thread(stack.restart, part)


async def die_at(step: str, *, stack: Stack, rng: random.Random) -> None:
    """Let a process die at a named step, and start it again."""
    armed = steps.arm(stack.steps, step)
    async with asyncio.timeout(STEP_SECONDS):
        # The file is removed just before the process dies; the pool's parent replaces its child itself.
        while armed.exists():  # noqa: ASYNC110 - another process takes it away
            await asyncio.sleep(0.01)
    await asyncio.sleep(rng.uniform(0.3, 1.5))
    for part in stack.dead():
        await asyncio.to_thread(stack.start_again, part)


async def hang_then_die(step: str, *, stack: Stack, rng: random.Random) -> None:
    """Let a process hang at a named step with its transaction open, and die there, several times."""
    for _ in range(HANGS):
        armed = steps.arm(stack.steps, step, hang=True)
        async with asyncio.timeout(STEP_SECONDS):
            while armed.exists():  # noqa: ASYNC110 - another process takes it away
                await asyncio.sleep(0.01)
        await asyncio.sleep(rng.uniform(1.5, 3))
        os.kill(steps.hanging(stack.steps, step), signal.SIGKILL)
        await asyncio.sleep(rng.uniform(0.3, 1))
        for part in stack.dead():
            await asyncio.to_thread(stack.start_again, part)


async def cuts_only(stack: Stack, rng: random.Random) -> None:
    """Do nothing: every run has cut connections."""
    await asyncio.sleep(rng.uniform(1, 3))


def _any_web(what: Callable[..., Awaitable[None]], stack: Stack, rng: random.Random) -> Awaitable[None]:
    return what(rng.choice(["web 1", "web 2"]), stack=stack, rng=rng)


def _named(what: Callable[..., Awaitable[None]], *parts: str) -> Fault:
    return lambda stack, rng: what(*parts, stack=stack, rng=rng)


def _configured(setting: str, lock: bool, stack: Stack, rng: random.Random) -> Awaitable[None]:
    return database_faults.configure(setting, lock=lock, stack=stack, rng=rng)


#: The user whose own trouble a fault is: the others must not notice it.
VICTIMS = {"locked inbox": database_faults.VICTIM}

#: Faults that both backends have.
COMMON: dict[str, Fault] = {
    "connections cut, nothing else": cuts_only,
    "kill web": partial(_any_web, kill),
    "kill worker": _named(kill, "worker 1"),
    "kill both webs": _named(kill, "web 1", "web 2"),
    "kill both workers": _named(kill, "worker 1", "worker 2"),
    "kill web and worker": _named(kill, "web 1", "worker 1"),
    "freeze web": partial(_any_web, freeze),
    "freeze worker": _named(freeze, "worker 1"),
    "freeze worker, kill the other": _named(kill_while_frozen, "worker 1", "worker 2"),
    "restart web": partial(_any_web, restart),
    "restart worker": _named(restart, "worker 1"),
    **{f"die {step}": _named(die_at, step) for step in steps.STEPS},
    f"hang, then die {steps.BEFORE_COMMIT}": _named(hang_then_die, steps.BEFORE_COMMIT),
}

#: Faults that need the servers, or a pool.
SERVERS: dict[str, Fault] = {
    "kill pool's parent": _named(kill, "worker 2"),
    "kill pool child": kill_pool_child,
    "freeze pool child": freeze_pool_child,
    "locked inbox": database_faults.lock_an_inbox,
    "read-only": partial(_configured, "default_transaction_read_only = on", False),
    "lock_timeout": partial(_configured, "lock_timeout = '300ms'", True),
    "statement_timeout": partial(_configured, "statement_timeout = '300ms'", True),
    "kill RabbitMQ": _named(kill, "rabbitmq"),
    "kill PostgreSQL": _named(kill, "postgres"),
    "freeze RabbitMQ": _named(freeze, "rabbitmq"),
    "freeze PostgreSQL": _named(freeze, "postgres"),
    "kill RabbitMQ and PostgreSQL": _named(kill, "rabbitmq", "postgres"),
    "kill RabbitMQ and worker": _named(kill, "rabbitmq", "worker 1"),
    "kill PostgreSQL and web": _named(kill, "postgres", "web 1"),
    "freeze PostgreSQL, kill worker": _named(kill_while_frozen, "postgres", "worker 1"),
    "freeze RabbitMQ, kill web": _named(kill_while_frozen, "rabbitmq", "web 2"),
    "delete RabbitMQ's exchange": partial(broker_faults.delete, rabbit_faults.delete_exchange),
    "delete RabbitMQ's queues": partial(broker_faults.delete, rabbit_faults.delete_queues),
    "take bindings away": partial(broker_faults.delete, rabbit_faults.remove_bindings),
    "memory alarm of RabbitMQ": partial(broker_faults.alarm, rabbit_faults.memory_alarm),
    "disk alarm of RabbitMQ": partial(broker_faults.alarm, rabbit_faults.disk_alarm),
    "take permissions at RabbitMQ": broker_faults.take_permission,
}

for _server, _name in (("postgres", "PostgreSQL"), ("rabbitmq", "RabbitMQ")):
    SERVERS |= {
        f"slow network to {_name}": _named(network_faults.delay, _server),
        f"network to {_name} swallows": _named(network_faults.swallow, _server),
        f"network to {_name} half-closes": _named(network_faults.half_close, _server),
    }
if fake_clock.installed():
    COMMON |= {"clocks an hour off": clock_faults.wrong, "clocks jump back": clock_faults.jump_back}
    SERVERS["PostgreSQL's clock jumps back"] = clock_faults.database_jumps_back
FULL_DISK: dict[str, Fault] = {"disk full": database_faults.fill_disk} if can_mount() else {}

CATALOGUE: dict[str, dict[str, Fault]] = {
    "production": {**COMMON, **SERVERS, **FULL_DISK},
    "embedded": {
        name: fault
        for name, fault in COMMON.items()
        # SQLite locks by the file: while a writer hangs, so does every other. And it has no dispatch in one statement.
        if not name.startswith(("freeze worker", "hang", f"die {steps.IN_STATEMENT}"))
    }
    | {"delete the broker's folders": broker_faults.delete_folders}
    | FULL_DISK,
}
