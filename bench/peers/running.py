"""What the peers run on: a private Redis, a new database, and processes that are ended afterwards."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.peers.install import Missing
from tests.harness import postgres
from tests.harness.processes import Process, clean_env
from tests.harness.waiting import accepts, free_port, until


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a folder for logs and sockets, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as name:
        place = Path(name)
        place.chmod(0o755)  # nginx's worker is another user
        yield place


@contextmanager
def redis(place: Path, *, keeps: bool = False) -> Iterator[str]:
    """Yield the URL of a private Redis server; `keeps`: with an append-only file, synced every second."""
    server = shutil.which("redis-server")
    if server is None:
        raise Missing("redis-server is not installed")
    port = free_port()
    words = [
        server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(place),
        "--appendonly", "yes" if keeps else "no", "--maxmemory-policy", "noeviction",
    ]  # fmt: skip
    popen = subprocess.Popen(
        words, env=clean_env(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: accepts(port), 10, "Redis accepts")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        popen.terminate()
        popen.wait(10)


@contextmanager
def database() -> Iterator[str]:
    """Yield the plain URL of a new database on the machine's PostgreSQL."""
    with postgres.fresh_database(postgres.shared_url()) as url:
        yield url.replace("postgresql+psycopg://", "postgresql://")


class Family:
    """Processes of a peer, started one after another and ended together."""

    def __init__(self, place: Path, cwd: Path, env: Mapping[str, str]) -> None:
        self._place, self._cwd, self.env = place, cwd, dict(env)
        self._processes: list[Process] = []

    def start(self, name: str, words: Sequence[str], *, port: int | None = None, says: str = "") -> int:
        """Start a program; wait until it listens on `port` or its log has `says`; return its pid."""
        process = Process(name, words, env=self.env, log=self._place / f"{name}.log", cwd=self._cwd).start()
        self._processes.append(process)
        if port is not None:
            process.wait_until(lambda: accepts(port), f"listens on {port}")
        if says:
            process.wait_logged(says)
        return process.pid

    def stop(self) -> None:
        """End them, the last one first."""
        for process in reversed(self._processes):
            process.kill()
