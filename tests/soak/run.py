"""One soak on a running site."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import sqlalchemy as sa

from tests.harness import processes
from tests.harness.backend_api import BackendApi
from tests.harness.site import Site
from tests.soak import samples
from tests.soak.samples import Sample
from tests.soak.visitors import Visitor

MAX_BEHIND = 5.0  # seconds that a stored ack may be behind
SENDERS = 8
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Size:
    """How long (seconds), how many alerts a second, how many sockets, and the seconds between samples."""

    seconds: float = 900.0
    alerts: float = 30.0
    sockets: int = 200
    every: float = 15.0


@dataclass
class Soaked:
    """The result. `behind` is the longest that an ack was not stored; `breaches` are broken promises."""

    accepted: int = 0
    visits: int = 0
    behind: float = 0.0
    delays: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)


class Senders:
    """Send alerts at a steady rate; each is repeated with its key until it has its 202."""

    def __init__(self, site: Site, rng: random.Random) -> None:
        self.accepted: dict[str, set[str]] = defaultdict(set)
        self._backend = site.backend
        self._rng = rng
        self._free: list[BackendApi] = []

    async def send(self, users: list[str], rate: float, until: float) -> None:
        """Send to any of the users until a moment (`time.monotonic()`)."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(SENDERS) as threads:
            calls = []
            due = time.monotonic()
            while due < until:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                calls.append(loop.run_in_executor(threads, self._one, self._rng.choice(users)))
                due += 1 / rate
            for user, id in await asyncio.gather(*calls):
                self.accepted[user].add(id)
        for api in self._free:
            api.close()

    def _one(self, user: str) -> tuple[str, str]:
        api = self._free.pop() if self._free else BackendApi(self._backend.base_url, self._backend.api_key)
        key, data = str(uuid.uuid4()), {"title": "Soak", "message": "m", "type": "info"}
        try:
            for _ in range(30):
                answer = api.notify({"user_id": user, "data": data}, key=key)
                if answer.status == 202:
                    return user, str(answer.json["id"])
                time.sleep(1)
            raise AssertionError(f"not accepted: {answer}")
        finally:
            self._free.append(api)


async def soak(site: Site, size: Size, seed: int) -> Soaked:
    """Send to visitors who come and go, and watch; then check every ledger and the audit."""
    rng, done = random.Random(seed), Soaked()
    visitors = [
        Visitor(site.backend, f"soak-{seed}-{number}", random.Random(rng.random()))
        for number in range(size.sockets)
    ]
    senders, until = Senders(site, rng), time.monotonic() + size.seconds
    watching = asyncio.create_task(asyncio.to_thread(_watch, site, visitors, size, until, done))
    await asyncio.gather(
        senders.send([visitor.user for visitor in visitors], size.alerts, until),
        *(visitor.come_and_go(until) for visitor in visitors),
    )
    await watching
    done.accepted = sum(map(len, senders.accepted.values()))
    for visitor in visitors:
        await _check(visitor, senders.accepted[visitor.user], done)
    audit = await asyncio.to_thread(processes.run, "notifier", "verify", env=site.backend.env)
    if audit.returncode:
        done.breaches.append(f"verify: {audit.stdout}{audit.stderr}"[:1000])
    if done.behind > MAX_BEHIND:
        done.breaches.append(f"an ack was not stored for {done.behind:.1f} s")
    return done


async def _check(visitor: Visitor, accepted: set[str], done: Soaked) -> None:
    done.visits += visitor.visits
    done.delays += visitor.delays
    try:
        if visitor.failure is not None:
            raise visitor.failure
        await visitor.last_visit(accepted, PATIENCE_SECONDS)
    except (AssertionError, OSError) as error:
        done.breaches.append(f"{visitor.user}: {str(error).splitlines()[0]}")
        return
    for id in visitor.ledger.received.keys() - accepted:
        done.breaches.append(f"{visitor.user}: nobody sent {id}")


def _watch(site: Site, visitors: list[Visitor], size: Size, until: float, done: Soaked) -> None:
    engine = sa.create_engine(site.backend.database_url, poolclass=sa.NullPool)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        names, next_sample = samples.tables(connection), time.monotonic()
        by_user = {visitor.user: visitor for visitor in visitors}
        acked_by = sa.text("SELECT user_id, acked_seq FROM notifier_devices WHERE device = 'd'")
        while time.monotonic() < until:
            now = time.monotonic()
            acked = {user: seq for user, seq in connection.execute(acked_by)}
            for user, visitor in by_user.items():
                done.behind = max(done.behind, visitor.behind(acked.get(user, 0), now))
            if time.monotonic() >= next_sample:
                done.samples.append(samples.take(site.processes[0].pid, connection, names))
                next_sample += size.every
            time.sleep(0.5)
    engine.dispose()
