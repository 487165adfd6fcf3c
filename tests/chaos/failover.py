"""A failover to a replica that lacks the last commits, under connected and returning clients.

What only the old primary had is lost. Every client's ledger must equal the new log, each after one `reset`.

    python -m tests.chaos.failover --rounds 5
    python -m tests.chaos.failover --rounds 2 --pooled
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.stack import Stack
from tests.harness import backends, processes
from tests.harness.backend_api import BackendApi, UserApi
from tests.harness.backends import Backend
from tests.harness.client import LedgerClient
from tests.harness.ledger import WINDOW, Ledger
from tests.harness.pgbouncer import PrivatePgBouncer
from tests.harness.postgres import PrivatePostgres, PrivateReplica
from tests.harness.rabbitmq import PrivateRabbit
from tests.harness.waiting import until

KEPT, LOST, NEW = 6, 20, 100
PATIENCE_SECONDS = 60.0


class FailoverStack(Stack):
    """A stack on a primary with a replica; processes use the server that takes writes.

    `pooled`: they reach it through pgbouncer, which keeps their connections during a failover.
    """

    def __init__(self, folder: Path, *, pooled: bool = False) -> None:
        super().__init__("production", folder)
        self.primary = PrivatePostgres()
        self.replica: PrivateReplica
        self.pooler = PrivatePgBouncer(self.primary) if pooled else None

    def _first(self) -> Backend:
        rabbit = PrivateRabbit()
        self.services = {"postgres": self.primary, "rabbitmq": rabbit}
        rabbit.launch()
        self.primary.start()
        self.replica = PrivateReplica(self.primary)
        self.services["replica"] = self.replica
        self.replica.start()
        self.primary.create_database("chaos")
        rabbit.wait_ready()
        if self.pooler is not None:
            self.services["pooler"] = self.pooler
            self.pooler.start()
            return backends.production(self.pooler.url("chaos"), rabbit.url, self.folder / "var")
        hosts = "&".join(f"host=127.0.0.1:{server.port}" for server in (self.primary, self.replica))
        url = f"postgresql+psycopg://live@/chaos?{hosts}&target_session_attrs=read-write"
        return backends.production(url, rabbit.url, self.folder / "var")

    def fail_over(self) -> None:
        """Kill the primary, and promote the replica."""
        self.primary.kill()
        self.replica.promote()
        if self.pooler is not None:
            self.pooler.lead_to(self.replica)

    def replace_the_dead(self) -> None:
        """Start another replica of the new primary, in place of the old one."""
        dead, self.primary = self.primary, self.replica
        dead.remove()
        self.replica = PrivateReplica(self.primary)
        self.replica.port = dead.port
        self.services |= {"postgres": self.primary, "replica": self.replica}
        self.replica.start()


@dataclass
class Person:
    """A user with one device, and the alerts sent to them.

    Attributes:
        lost: how many of their alerts only the old primary has.
        new: how many the new primary accepts.
        away: whether they are disconnected during the failover.
    """

    user: str
    lost: int = 0
    new: int = 0
    away: bool = False
    ledger: Ledger = field(init=False)
    client: LedgerClient = field(init=False)
    sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.user, live_resets=True)


def everybody() -> list[Person]:
    """Return each kind of client that a failover can affect."""
    return [
        Person("stays, has seen what is lost, and is overtaken", lost=LOST, new=NEW),
        Person("stays, has seen what is lost, and is not overtaken", lost=LOST, new=3),
        Person("stays, and has seen nothing that is lost", new=NEW),
        Person("stays, and nothing comes", lost=LOST),
        Person("returns, has seen what is lost, and is overtaken", lost=LOST, new=NEW, away=True),
        Person("returns, has seen what is lost, and is not overtaken", lost=LOST, new=3, away=True),
        Person("returns, and has seen nothing that is lost", new=NEW, away=True),
    ]


class Scene:
    """The callers of the stack: senders and clients."""

    def __init__(self, stack: FailoverStack) -> None:
        self.stack = stack
        self.people = everybody()
        self._running: set[asyncio.Task[None]] = set()
        self._web = 0

    def arrives(self, person: Person) -> None:
        """Connect their device from its seq."""
        self._web += 1
        backend = self.stack.backends[self._web % len(self.stack.backends)]
        person.client = LedgerClient(
            backend.ws_url, person.user, backend.token(person.user), device="phone", ledger=person.ledger
        )
        self._running.add(asyncio.create_task(person.client.run()))

    async def send(self, person: Person, count: int) -> list[str]:
        """Send alerts as a careful caller does: each again until it gets 202."""

        def work() -> list[str]:
            backend = self.stack.backends[0]
            ids = []
            with BackendApi(backend.base_url, backend.api_key, timeout=15) as api:
                for number in range(count):
                    key, data = (
                        str(uuid.uuid4()),
                        {"title": f"Alert {number}", "message": "m", "type": "info"},
                    )

                    def accepted(key: str = key, data: dict[str, str] = data) -> str:
                        with contextlib.suppress(OSError):
                            answer = api.notify({"user_id": person.user, "data": data}, key=key)
                            return str(answer.json["id"]) if answer.status == 202 else ""
                        return ""

                    ids.append(until(accepted, PATIENCE_SECONDS, "202"))
            return ids

        ids = await asyncio.to_thread(work)
        person.sent += ids
        return ids

    async def has(self, person: Person, ids: list[str]) -> None:
        """Wait until their device has been sent these, or got a window that includes them."""
        await person.client.wait_for(
            lambda ledger: ledger.live and (not ids or ids[-1] in ledger.inbox.entries),
            PATIENCE_SECONDS,
            "what was sent",
        )

    async def leave(self) -> None:
        """End every client."""
        await asyncio.gather(*(person.client.stop() for person in self.people), return_exceptions=True)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def failovers(stack: FailoverStack, rounds: int) -> None:
    """Run failovers on a running stack, and check every ledger. Raises Breach and AssertionError."""
    scene = Scene(stack)
    try:
        for person in scene.people:
            scene.arrives(person)
            await person.client.wait_live(30)
        for number in range(1, rounds + 1):
            begun = time.monotonic()
            await _one(stack, scene, number)
            print(f"failover {number}: clean, {time.monotonic() - begun:.1f} s", flush=True)
            if number < rounds:
                await asyncio.to_thread(stack.replace_the_dead)
    finally:
        await scene.leave()


async def _one(stack: FailoverStack, scene: Scene, number: int) -> None:
    people = scene.people
    for person in people:
        await scene.has(person, await scene.send(person, KEPT))
    await asyncio.to_thread(stack.replica.catch_up)
    await asyncio.to_thread(stack.replica.lose_the_primary)
    for person in people:
        kept = len(person.sent)
        await scene.has(person, await scene.send(person, person.lost))
        del person.sent[kept:]
        if person.away:
            await person.client.stop()
    await asyncio.to_thread(stack.fail_over)
    await asyncio.gather(*(scene.send(person, person.new) for person in people))
    for person in people:
        if person.away:
            scene.arrives(person)
    for person in people:
        await person.client.wait_for(
            lambda ledger: len(ledger.resets) == number and ledger.live, PATIENCE_SECONDS, "a reset"
        )
        await scene.has(person, person.sent)
    for person in people:
        await asyncio.to_thread(balance, stack, person, number)
    done = await asyncio.to_thread(processes.run, "notifier", "verify", env=stack.env)
    assert done.returncode == 0, done.stdout + done.stderr


def balance(stack: FailoverStack, person: Person, number: int) -> None:
    """Check after failover `number` that their ledger equals the new log. Raises Breach and AssertionError."""
    ledger, backend = person.ledger, stack.backends[0]
    with UserApi(backend.base_url, backend.token(person.user)) as api:
        page, items = api.inbox().json, list(api.items())
    assert [item["id"] for item in items][::-1] == person.sent, person.user
    assert list(ledger.inbox.differences(page, items)) == [], person.user
    assert page["seq"] == ledger.seq, person.user
    assert set(person.sent[-WINDOW:]) <= ledger.inbox.entries.keys(), person.user
    assert ledger.resets == ["restored"] * number, person.user
    ledger.in_order(person.sent)


@contextlib.contextmanager
def running(folder: Path, *, pooled: bool = False) -> Iterator[FailoverStack]:
    """Yield a running stack."""
    stack = FailoverStack(folder, pooled=pooled)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def run(folder: Path, rounds: int, *, pooled: bool = False) -> None:
    """Run that many failovers, one after the other."""
    with running(folder, pooled=pooled) as stack:
        asyncio.run(failovers(stack, rounds))


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.failover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pooled", action="store_true", help="through pgbouncer in transaction mode")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="live-failover-") as folder:
        run(Path(folder) / "stack", given.rounds, pooled=given.pooled)


if __name__ == "__main__":
    main()
