"""Thousands of hostile sockets: the server neither fails nor grows, and another client notices nothing.

Every session is made from SEED and its number (`tests/harness/hostile`); a failure names both. `make fuzz` is
the long run; here the sessions are few and the same every time.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from sqlalchemy.engine import make_url

from tests.harness import backends, processes
from tests.harness.backends import Backend
from tests.harness.hostile.client import play
from tests.harness.hostile.session import SCENARIOS, drawn
from tests.harness.neighbours import SENDERS, Neighbours
from tests.harness.site import Site
from tests.harness.waiting import crowding, until

LONG = int(os.environ.get("SESSIONS", "0"))
SESSIONS = LONG or 500
WARM_UP = max(300, LONG // 5)  # sessions after which everything that is allocated once exists
SEED = os.environ.get("SEED", "1")
AT_ONCE = 24
USERS = 16
SESSION_SECONDS = 15.0
ALERTS_EVERY = 0.05  # seconds
LATE = 2.0  # seconds; an alert to the other client that takes longer was delayed
# A leak of one object of 500 bytes for each of 10,000 sessions would be 5 MB.
GROWTH = 5 * 2**20


@pytest.fixture(scope="module", params=backends.KINDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a private site whose log and memory are checked."""
    folder = tmp_path_factory.mktemp(f"fuzz-{request.param}")
    rabbit = request.getfixturevalue("rabbit_server") if request.param == "production" else None
    with backends.open_backend(request.param, folder / "var", rabbit) as backend:
        backend.env["NOTIFIER_HELLO_TIMEOUT"] = "20"  # no session reaches it, even on a busy machine
        done = processes.run("notifier", "migrate", env=backend.env)
        assert done.returncode == 0, done.stderr
        with closing(Site(backend, folder)) as site:
            site.start("web").wait_ready(backend.base_url)
            site.start("worker").wait_logged("ready.")
            yield site


async def fuzz(site: Site, numbers: Iterable[int]) -> Counter[str]:
    """Play the sessions with these numbers; return how often each scenario ran. Raises AssertionError."""
    tokens = [site.backend.token(f"fuzz-{number}") for number in range(USERS)]
    free = asyncio.Semaphore(AT_ONCE)
    played: Counter[str] = Counter()
    faults: list[str] = []

    async def one(number: int) -> None:
        name, session = drawn(f"{SEED}/{number}", tokens[number % USERS])
        async with free:
            try:
                fault = session.judge(await play(site.backend.port, session, SESSION_SECONDS * crowding()))
            except (TimeoutError, OSError) as error:
                fault = repr(error)
        played[name] += 1
        if fault:
            faults.append(f"SEED={SEED} session {number}, {name}: {fault}; {session}"[:300])

    async with asyncio.TaskGroup() as group:
        for number in numbers:
            group.create_task(one(number))
    assert not faults, f"{len(faults)} of {played.total()}\n" + "\n".join(faults[:10])
    return played


class Footprint:
    """The gunicorn worker's memory and handles, without hostile clients.

    Not counted as handles: its connections to the database and the broker. They are bounded by their pools,
    and are opened when several calls need one at the same time.
    """

    def __init__(self, process: psutil.Process, backend: Backend) -> None:
        servers = {make_url(url).port for url in (backend.database_url, backend.broker_url) if url}
        with process.oneshot():
            own = sum(bool(c.raddr) and c.raddr.port in servers for c in process.net_connections("tcp"))
            own += sum(Path(file.path).name.startswith("notifier.db") for file in process.open_files())
            self.rss, self.handles, self.threads = (
                process.memory_info().rss, process.num_fds() - own, process.num_threads(),
            )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.rss / 2**20:.1f} MB, {self.handles} file handles, {self.threads} threads"


@pytest.mark.alone
@pytest.mark.timeout(3600 if LONG else 120)
def test_nobody_notices_thousands_of_hostile_sessions(site: Site) -> None:
    web = site.processes[0]
    (worker,) = web.children()
    feet: list[Footprint] = []

    def look() -> Footprint:
        return Footprint(worker, site.backend)

    def rest(handles: float = float("inf")) -> None:
        until(lambda: look().handles <= handles, 20, f"no more than {handles} file handles")
        feet.append(look())

    async def play_all() -> tuple[list[float], Counter[str]]:
        neighbours = Neighbours(site, ["neighbour"], ALERTS_EVERY)
        await neighbours.enter()
        await fuzz(site, range(WARM_UP))
        await asyncio.to_thread(rest)
        played = await fuzz(site, range(WARM_UP, WARM_UP + SESSIONS))
        await asyncio.to_thread(rest, feet[0].handles + SENDERS)  # the neighbour's POSTs have one each
        await neighbours.leave()
        return neighbours.taken(), played

    began = time.monotonic()
    late, played = asyncio.run(play_all())
    before, after = feet
    print(
        f"{site.backend.kind}, seed {SEED}: {WARM_UP} + {played.total()} sessions in "
        f"{time.monotonic() - began:.0f} s; neighbour: {len(late)} alerts, p50 "
        f"{late[len(late) // 2] * 1000:.0f} ms, at most {late[-1] * 1000:.0f} ms; {before} -> {after}"
    )
    assert played.keys() == SCENARIOS.keys()
    assert late[-1] < LATE * crowding()
    assert web.alive
    assert web.children() == [worker]
    assert after.rss - before.rss < GROWTH
    assert after.threads <= before.threads
    log = web.log.read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log
