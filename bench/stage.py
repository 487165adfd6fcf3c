"""What the scenarios share: a site on a backend of its own, clients by the hundred, and plain figures."""

from __future__ import annotations

import asyncio
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.harness import processes
from tests.harness.backends import Backend, open_backend
from tests.harness.client import LedgerClient
from tests.harness.site import Site, running_site

PACKAGES = ("celery", "kombu", "sqlalchemy", "flask-sock", "gevent", "gunicorn", "psycopg")


@contextmanager
def stage(kind: str, **settings: str) -> Iterator[Site]:
    """`notifier up` on a fresh backend of `kind`; stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as folder:
        var = Path(folder)
        with open_backend(kind, var) as backend:
            backend.env.update({"NOTIFIER_DEMO": "0", "NOTIFIER_LOG_LEVEL": "WARNING", **settings})
            with running_site(backend, var) as site:
                yield site


def verified(backend: Backend) -> bool:
    """Whether `notifier verify` finds every accepted notification accounted for."""
    done = processes.run("notifier", "verify", env=backend.env)
    if done.returncode != 0:
        print(done.stdout, done.stderr, file=sys.stderr)
    return done.returncode == 0


@dataclass
class Figures:
    """A scenario's figures, printed as a line of words and kept as JSON."""

    scenario: str
    values: dict[str, Any] = field(default_factory=dict)

    def milliseconds(self, name: str, seconds: Sequence[float]) -> None:
        """Add p50, p95, p99 and the maximum of some durations, in milliseconds."""
        ordered = sorted(seconds)
        for label, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
            place = min(len(ordered) - 1, int(len(ordered) * share))
            self.values[f"{name}_{label}_ms"] = round(ordered[place] * 1000, 1) if ordered else None

    def show(self) -> None:
        """Print them."""
        print(f"{self.scenario}: " + ", ".join(f"{name} {value}" for name, value in self.values.items()))
        where = {
            "machine": f"{platform.machine()}, {psutil.cpu_count()} cores",
            "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES},
        }
        print(json.dumps({"scenario": self.scenario, **self.values, **where}))


async def crowd(clients: Sequence[LedgerClient], seconds: float = 120.0) -> list[asyncio.Task[None]]:
    """Let clients in, some at a time, and return when all are live."""
    tasks = []
    for start in range(0, len(clients), 100):
        some = clients[start : start + 100]
        tasks += [asyncio.create_task(client.run()) for client in some]
        await asyncio.gather(*(client.wait_live(seconds) for client in some))
    return tasks


async def leave(clients: Sequence[LedgerClient], tasks: Sequence[asyncio.Task[None]]) -> None:
    """Close every client."""
    await asyncio.gather(*(client.stop() for client in clients), return_exceptions=True)
    await asyncio.gather(*tasks, return_exceptions=True)


class Steady:
    """Sends `rate` alerts a second from threads, to one user after another, and notes when each began."""

    def __init__(self, site: Site, users: Sequence[str], *, threads: int = 8, message: str = "m") -> None:
        self._site, self._users, self._message = site, users, message
        self._apis = [site.api.__class__(site.backend.base_url, site.backend.api_key) for _ in range(threads)]
        self.began: dict[str, float] = {}  # title -> time.time() at the start of its POST
        self.posts: list[float] = []  # seconds that each POST took
        self.sent: dict[str, int] = dict.fromkeys(users, 0)

    def _post(self, api: Any, user: str, title: str) -> None:
        began = self.began[title] = time.time()
        answer = api.send(user, {"title": title, "message": self._message, "type": "info"})
        assert answer.status == 202, answer
        self.posts.append(time.time() - began)
        self.sent[user] += 1

    async def run(self, count: int, rate: float) -> None:
        """Send `count` alerts; return when all are accepted."""
        free: asyncio.Queue[Any] = asyncio.Queue()
        for api in self._apis:
            free.put_nowait(api)
        loop, start = asyncio.get_running_loop(), time.monotonic()

        async def one(number: int) -> None:
            api = await free.get()
            try:
                user = self._users[number % len(self._users)]
                await loop.run_in_executor(None, self._post, api, user, f"{user} {number}")
            finally:
                free.put_nowait(api)

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
                group.create_task(one(number))

    def close(self) -> None:
        """Close the connections."""
        for api in self._apis:
            api.close()
