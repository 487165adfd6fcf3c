"""Deadlines: wait for a condition, not for a duration."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.02
# Below the kernel's ephemeral range, so that an outgoing connection cannot use a port that a service needs
# again after a restart.
_PORTS = range(18_000, 32_000)


class DeadlineError(AssertionError):
    """The condition did not become true in time."""


def until(condition: Callable[[], T | None], seconds: float, what: str) -> T:
    """Return the first truthy value of `condition`; raise :class:`DeadlineError` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise DeadlineError(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)


def crowding() -> float:
    """Return the load per core, at least 1: promises in milliseconds are for a machine with an idle core."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def free_port() -> int:
    """Return a free port on 127.0.0.1 that no outgoing connection will take."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DeadlineError("no free port between 18000 and 32000")


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether something accepts TCP connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
