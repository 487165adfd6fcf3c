"""Run web and worker as children of `notifier up`, and restart a child that dies.

A death is logged. Ctrl-C or SIGTERM stops all children gracefully. If this process is killed, the kernel
sends SIGTERM to the children (Linux).
"""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from notifier.core.backoff import equal_jitter

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1  # prctl(2)
RESTART_FIRST, RESTART_MAX = 0.5, 10.0  # seconds at most between a death and the next start
STABLE = 30.0  # seconds after which a child counts as stable: its next restart has the first pause again
POLL = 0.1
WRONG_SETTING = 2  # the exit status of a child that another start would not help


@dataclass(slots=True)
class Child:
    """A child process."""

    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    deaths: int = 0
    due: float = 0.0


def _with_parent() -> None:
    """Run in the child: get SIGTERM when the parent dies, and leave Ctrl-C to the parent."""
    os.setpgrp()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Starts children, restarts those that die, and stops them.

    Args:
        commands: name -> command line.
        environ: their environment.
        added: name -> what this child's environment has besides.
        inherited: descriptors that the children get.
        grace: seconds a child has to stop before it is killed.
        started: returns whether the service can be used.
        announce: called once, when it can for the first time.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        environ: Mapping[str, str],
        added: Mapping[str, Mapping[str, str]],
        inherited: Sequence[int] = (),
        grace: float,
        started: Callable[[], bool],
        announce: Callable[[], None],
    ) -> None:
        self._children = [Child(name, command) for name, command in commands.items()]
        self._environ = dict(environ)
        self._added = added
        self._inherited = inherited
        self._grace = grace
        self._started = started
        self._announce = announce
        self._stopping = threading.Event()
        self._announced = False
        self._status = 0

    def run(self) -> int:
        """Run until SIGINT or SIGTERM, or a child finds a wrong setting at the start; return the status."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._stopping.set())
        signal.signal(signal.SIGHUP, lambda *_: self._signal(signal.SIGHUP))
        while not self._stopping.is_set():
            for child in self._children:
                self._keep(child)
            if not self._announced and not self._status and self._started():
                self._announced = True
                self._announce()
            self._stopping.wait(POLL)
        return self._stop()

    def _keep(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.due:
                child.process = subprocess.Popen(  # noqa: S603
                    child.command,
                    env={**self._environ, **self._added.get(child.name, {})},
                    preexec_fn=_with_parent,  # noqa: PLW1509  no threads here
                    pass_fds=self._inherited,
                )
                child.started = now
            return
        status = child.process.poll()
        if status is None:
            return
        if status == WRONG_SETTING and not self._announced:  # it has said what is wrong
            child.process, self._status = None, status
            self._stopping.set()
            return
        if now - child.started > STABLE:
            child.deaths = 0
        delay = equal_jitter(child.deaths, RESTART_FIRST, RESTART_MAX)
        log.error(
            "%s ended, starting it again in %.1f s: status=%s pid=%d",
            child.name,
            delay,
            status,
            child.process.pid,
        )
        child.process, child.due, child.deaths = None, now + delay, child.deaths + 1

    def _signal(self, number: int) -> None:
        for child in self._children:
            if child.process and child.process.poll() is None:
                child.process.send_signal(number)

    def _stop(self) -> int:
        alive = [child for child in self._children if child.process and child.process.poll() is None]
        for child in alive:
            if child.process:
                child.process.terminate()
        deadline = time.monotonic() + self._grace
        status = self._status
        for child in alive:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("%s did not stop within %g s, killing it", child.name, self._grace)
                os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()
                status = status or 1
        return status
