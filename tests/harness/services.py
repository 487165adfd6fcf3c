"""Private servers that tests kill and freeze: the common part of PostgreSQL, RabbitMQ and others.

The shared servers of the machine are not touched; each private one has its own port, data and processes,
and starts again on the same port with the same data.
"""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import pytest

from tests.harness import process_tree
from tests.harness.waiting import free_port, until


def missing(what: str) -> BaseException:
    """Return what to raise for a missing service: a skip, or in CI a failure."""
    if os.environ.get("CI"):
        return pytest.fail.Exception(f"{what} (env CI is set: every service must be there)", pytrace=False)
    return pytest.skip.Exception(f"{what}; this test needs it")


def find_binary(name: str, *places: str) -> Path | None:
    """Return the newest `name` in one of `places` (globs), else on PATH; None when there is none."""
    for place in places:
        if found := sorted(glob.glob(f"{place}/{name}")):  # noqa: PTH207 - absolute patterns
            return Path(found[-1])
    on_path = shutil.which(name)
    return Path(on_path) if on_path else None


def can_mount() -> bool:
    """Return whether this process may mount a disk of its own: root, outside a container that forbids it."""
    if os.geteuid() != 0:
        return False
    folder = tempfile.mkdtemp(prefix="live-mount-")
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode == 0:
        subprocess.run(["umount", folder], check=True)
    Path(folder).rmdir()
    return done.returncode == 0


def mount(folder: Path, size: str) -> None:
    """Give a folder a disk of its own, in memory, of this size (as in `size=64m`)."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)


def unmount(folder: Path) -> None:
    """Take a folder's own disk away with its files, if it has one."""
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class PrivateService(ABC):
    """A server process with its own folder and port. As a context manager it is started, then removed.

    With a `disk`, its folder has a disk of that size of its own (needs `can_mount`).
    """

    name: str
    user: str | None = None
    start_seconds = 60.0

    def __init__(self, disk: str | None = None) -> None:
        self.port = free_port()
        self.extra_env: dict[str, str] = {}
        # Not pytest's tmp_path: PostgreSQL's user cannot enter its parents.
        self.folder = Path(tempfile.mkdtemp(prefix=f"live-{self.name}-"))
        if disk:
            mount(self.folder, disk)
        self.run_as = self.user if os.geteuid() == 0 and self.user and _user_exists(self.user) else None
        if self.run_as:
            shutil.chown(self.folder, self.run_as)
        self._popen: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command, which runs in the foreground."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return its variables, besides PATH and LANG."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it serves a request now."""

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        """Start and wait until it answers."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start without waiting."""
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(
                self.command(), env=self.full_environment(), cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **self._credentials(),
            )  # fmt: skip

    def wait_ready(self, seconds: float | None = None) -> None:
        """Wait until it answers; the error has the end of its log."""

        def ready() -> bool:
            if self._popen is None or self._popen.poll() is not None:
                raise AssertionError(f"{self.name} ended while starting:\n{self.tail()}")
            return self.answers()

        try:
            until(ready, seconds or self.start_seconds, f"{self.name} answers on port {self.port}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def stop(self, seconds: float = 30) -> None:
        """Stop it gracefully, and wait."""
        if self._popen is None or self._popen.poll() is not None:
            return
        family = process_tree.tree(self._popen.pid)
        self.ask_to_stop(self._popen)
        self._popen.wait(seconds)
        process_tree.wait_gone(family, 10)

    def ask_to_stop(self, popen: subprocess.Popen[bytes]) -> None:
        """Ask it to stop, by SIGTERM unless it means something else."""
        popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it and its children (SIGKILL)."""
        if self._popen is not None and self._popen.poll() is None:
            process_tree.kill_tree(self._popen.pid)
            self._popen.wait(10)

    def restart(self) -> None:
        """Start again on the same port and data, after a kill or a stop."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Freeze it (SIGSTOP): it accepts connections and does not answer, as a hung host does."""
        assert self._popen is not None
        process_tree.signal_tree(self._popen.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it continue (SIGCONT)."""
        assert self._popen is not None
        process_tree.signal_tree(self._popen.pid, signal.SIGCONT)

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def tail(self, lines: int = 40) -> str:
        """Return the end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def remove(self) -> None:
        """Kill it and delete its data."""
        self.kill()
        unmount(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def full_environment(self) -> dict[str, str]:
        """Return the whole environment of the server and of its tools."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            process_tree.MARKER: process_tree.RUN_ID,
            **self.environment(),
            **self.extra_env,
        }

    def run_tool(self, *words: str, seconds: float = 60) -> str:
        """Run one of the server's tools as its user; the error has its output."""
        done = subprocess.run(
            words, env=self.full_environment(), cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds, check=False, **self._credentials(),
        )  # fmt: skip
        assert done.returncode == 0, f"{words[0]}: {done.stdout}{done.stderr}"
        return str(done.stdout)

    def _credentials(self) -> dict[str, Any]:
        if self.run_as is None:
            return {}
        return {"user": self.run_as, "group": pwd.getpwnam(self.run_as).pw_gid, "extra_groups": []}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def _user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
