"""Run a piece of load in a process of its own."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import resource
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

Values = dict[str, Any]
Work = Callable[..., Awaitable[Values]]


def raise_handles() -> int:
    """Raise the limit of file handles as far as allowed, also for child processes; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def apart(work: Work, *arguments: Any, **named: Any) -> Values:
    """Run `work` (a coroutine function of a module) in a new process and return its figures."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run, work, arguments, named).result()


def apart_meanwhile(work: Work, *arguments: Any, **named: Any) -> tuple[ProcessPoolExecutor, Future[Values]]:
    """Start the same, and return at once; the caller shuts the pool down."""
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    return pool, pool.submit(_run, work, arguments, named)


def _run(work: Work, arguments: tuple[Any, ...], named: Values) -> Values:
    raise_handles()
    gc.freeze()
    began = time.process_time()
    values = asyncio.run(_await(work(*arguments, **named)))
    return {**values, "load_cpu_s": round(time.process_time() - began, 2)}


async def _await(running: Awaitable[Values]) -> Values:
    return await running
