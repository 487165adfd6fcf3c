"""The project's processes: started from the repository, watched, ended.

A :class:`Process` is one command with its own process group and its own log file. The functions below it
are the commands of docs/contract.md, section 1. The environment is always given, never inherited: a variable that
a test does not name is not set, except the few that a program needs to start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from tests.harness import http_client, process_tree
from tests.harness.waiting import until

REPO = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
READY_SECONDS = 45.0
STOP_SECONDS = 20.0
running: list[Process] = []


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment that has nothing of the caller's but the path to the programs."""
    return {
        "PATH": f"{BIN}:{os.environ.get('PATH', os.defpath)}",
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        process_tree.MARKER: process_tree.RUN_ID,
        **(extra or {}),
    }


class Process:
    """A started command. Reports use `name`; stdout and stderr go to `log`."""

    def __init__(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path = REPO
    ) -> None:
        self.name, self.command, self.env, self.log, self.cwd = name, list(command), dict(env), log, cwd
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> Process:
        """Start it in its own process group; the log is appended to, so a restart keeps it."""
        if self.alive:
            raise AssertionError(f"{self.name} runs already")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(
                self.command, cwd=self.cwd, env=clean_env(self.env), stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        running.append(self)
        return self

    @property
    def pid(self) -> int:
        assert self._popen is not None, f"{self.name} was never started"
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def tail(self, lines: int = 40) -> str:
        """Return the end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> Process:
        """Wait for `condition`; raise when the process has died meanwhile."""

        def reached() -> bool:
            if condition():
                return True
            if not self.alive:
                raise AssertionError(f"{self.name} ended with {self.returncode}:\n{self.tail()}")
            return False

        try:
            until(reached, seconds, f"{self.name}: {what}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- {self.log.name}\n{self.tail()}") from None
        return self

    def wait_ready(self, base_url: str, seconds: float = READY_SECONDS) -> Process:
        """Wait until ``/readyz`` answers 200."""
        return self.wait_until(
            lambda: http_client.status(f"{base_url}/readyz") == 200, "/readyz is 200", seconds
        )

    def wait_logged(self, text: str, seconds: float = READY_SECONDS) -> Process:
        """Wait until its log contains `text`."""
        return self.wait_until(
            lambda: text in self.log.read_text(errors="replace"), f"{text!r} in the log", seconds
        )

    @property
    def returncode(self) -> int | None:
        return self._popen.poll() if self._popen else None

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait until it ends by itself; return the exit code."""
        assert self._popen is not None
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {seconds:g} s:\n{self.tail()}") from None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the main process alone."""
        os.kill(self.pid, number)

    def terminate(self, seconds: float = STOP_SECONDS, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, and wait; kill it and fail when it does not. Return the exit code."""
        if not self.alive:
            return self.wait(0)
        family = process_tree.tree(self.pid)
        self.send_signal(number)
        try:
            code = self.wait(seconds)
            process_tree.wait_gone(family, 3)
        except AssertionError as error:
            process_tree.kill(family)
            self.kill()
            raise AssertionError(f"{self.name} did not stop cleanly: {error}") from None
        if self in running:
            running.remove(self)
        return code

    def kill(self) -> None:
        """Kill it and everything it started (SIGKILL)."""
        if self._popen is None:
            return
        process_tree.kill_tree(self.pid)
        self._popen.wait(5)
        for process in process_tree.marked():
            if _group(process.pid) == self._popen.pid:
                process.kill()
        if self in running:
            running.remove(self)

    def kill_main(self) -> None:
        """Kill the main process alone (SIGKILL); its children must notice."""
        self.send_signal(signal.SIGKILL)
        self.wait(5)

    def freeze(self) -> None:
        """Freeze the whole tree (SIGSTOP)."""
        process_tree.signal_tree(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the whole tree continue (SIGCONT)."""
        process_tree.signal_tree(self.pid, signal.SIGCONT)

    def children(self) -> list[psutil.Process]:
        """Return its direct children, oldest first: a prefork pool, or gunicorn's workers."""
        return sorted(psutil.Process(self.pid).children(), key=lambda child: child.create_time())


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def notifier(*arguments: str, env: Mapping[str, str], log: Path, cwd: Path = REPO) -> Process:
    """Return ``notifier <arguments>``, not started yet: up, web, worker, tail and others."""
    name = "-".join(["notifier", *arguments[:1]])
    return Process(name, [str(BIN / "notifier"), *arguments], env=env, log=log, cwd=cwd)


def of_tree(*arguments: str, env: Mapping[str, str], log: Path, tree: Path) -> Process:
    """Return ``notifier <arguments>`` as another checkout has it, with the installed packages."""
    made = notifier(*arguments, env={**env, "PYTHONPATH": str(tree)}, log=log, cwd=tree)
    made.command[:1] = [sys.executable, "-P", "-m", "cli"]
    return made


def command(*words: str, env: Mapping[str, str], log: Path, cwd: Path = REPO) -> Process:
    """Return another program of the virtual environment: celery, gunicorn, flask, alembic."""
    return Process(words[0], [str(BIN / words[0]), *words[1:]], env=env, log=log, cwd=cwd)


def run(
    *words: str, env: Mapping[str, str], cwd: Path = REPO, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a program of the virtual environment and wait for its end; do not raise for its exit code."""
    return subprocess.run(
        [str(BIN / words[0]), *words[1:]], cwd=cwd, env=clean_env(env), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip


def kill_all() -> None:
    """End everything that was started, for the end of a session."""
    for process in running:
        process.kill()
