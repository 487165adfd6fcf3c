"""A Redis server of its own that can be killed and started again."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from bench.peers.install import Missing
from tests.harness.processes import Process
from tests.harness.waiting import accepts, free_port


class PrivateRedis:
    """One server.

    Args:
        place: its folder.
        keeps: whether it has an append-only file, synced every second; else it keeps nothing on disk.

    Attributes:
        url: where it listens, the same after a restart.
    """

    def __init__(self, place: Path, *, keeps: bool = False) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise Missing("redis-server is not installed")
        self._port = free_port()
        words = [
            program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(place),
            "--appendonly", "yes" if keeps else "no", "--maxmemory-policy", "noeviction",
        ]  # fmt: skip
        self._process = Process("redis", words, env={}, log=place / "redis.log", cwd=place)
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        self._process.start().wait_until(lambda: accepts(self._port), "accepts")

    def kill(self) -> None:
        """Kill it with SIGKILL; its data is lost."""
        self._process.kill()

    def command(self, *words: str) -> bytes:
        """Send one command; return the first bytes of the answer."""
        parts = [word.encode() for word in words]
        request = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        with socket.create_connection(("127.0.0.1", self._port), 10) as connection:
            connection.sendall(request)
            answer = connection.recv(4096)
        assert not answer.startswith(b"-"), answer
        return answer
