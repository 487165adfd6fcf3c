"""Signals to a process and its descendants, and the sweep that ends what is left.

Every process of the harness carries :data:`MARKER` in its environment. Its children inherit it, even when
they leave the process group (PostgreSQL's do), so the sweep at exit finds them all.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

MARKER = "LIVE_HARNESS_RUN"
STOPPED_WITHIN = 1.0  # seconds; one that waits for a disk stops after that
RUN_ID = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"


def tree(pid: int) -> list[psutil.Process]:
    """Return the process and its descendants, parents first; empty when it has ended."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def signal_tree(pid: int, number: signal.Signals) -> list[psutil.Process]:
    """Send `number` to the whole tree, parents first, so that they cannot fork meanwhile.

    When this returns after SIGSTOP, no thread runs any more.
    """
    family = tree(pid)
    for process in family:
        _send(process, number)
    if number is signal.SIGSTOP:
        for late in tree(pid):
            if late not in family:
                _send(late, number)
                family.append(late)
        deadline = time.monotonic() + STOPPED_WITHIN
        while any(map(_has_running_threads, family)) and time.monotonic() < deadline:
            time.sleep(0.001)
    return family


def _has_running_threads(process: psutil.Process) -> bool:
    """Return whether a thread is not stopped yet: one that runs on another core goes on for a moment."""
    states = []
    for stat in Path(f"/proc/{process.pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            states.append(stat.read_text().rpartition(")")[2].split()[0])
    return any(state not in "TtZX" for state in states)


def kill_tree(pid: int, seconds: float = 10) -> None:
    """Kill the whole tree (SIGKILL) and wait until all have ended."""
    kill(signal_tree(pid, signal.SIGSTOP), seconds)


def kill(processes: list[psutil.Process], seconds: float = 10) -> None:
    """Kill these processes (SIGKILL) and wait until they have ended."""
    for process in processes:
        _send(process, signal.SIGKILL)
    wait_gone(processes, seconds)


def wait_gone(processes: list[psutil.Process], seconds: float) -> None:
    """Wait until none of them runs; a zombie counts as ended."""
    deadline = time.monotonic() + seconds
    while left := [p for p in processes if is_running(p)]:
        if time.monotonic() > deadline:
            raise AssertionError(f"still running after {seconds:g} s: {left}")
        time.sleep(0.01)


def is_running(process: psutil.Process) -> bool:
    """Return whether the process runs (or is stopped); False for a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def marked() -> Iterator[psutil.Process]:
    """Return every running process of this test run."""
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARKER) == RUN_ID and is_running(process):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def sweep() -> list[str]:
    """Kill what this run has left (SIGKILL); return a description for the report."""
    left = list(marked())
    described = []
    for process in left:
        try:
            described.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            described.append(str(process.pid))
    kill(left)
    return described


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


atexit.register(sweep)
