"""One run: load begins, a fault happens, the system recovers, the load ends, every accepted notification is checked."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from notifier.outbox.engine import Database, make_engine
from tests.chaos.crowd import Crowd
from tests.chaos.faults import VICTIMS, Fault
from tests.chaos.latest import Latest
from tests.chaos.load import Load
from tests.chaos.log_volume import LogVolume
from tests.chaos.producer import TABLE
from tests.chaos.stack import Stack
from tests.harness import processes
from tests.harness.backend_api import UserApi
from tests.harness.client import Heard, LedgerClient
from tests.harness.ledger import Breach
from tests.harness.processes import Process
from tests.harness.raw_counts import differences

USERS = 8
PATIENCE_SECONDS = 60.0


@dataclass
class Outcome:
    """The result of a run. `breaches` counts by kind; `notes` describes each.

    `latest` is the longest time from an alert's acceptance to its arrival at a user whom the fault does not aim at.
    `log_lines` is the most lines that a process logged in one second.
    """

    fault: str
    seed: int
    accepted: int = 0
    events: int = 0
    repeated: int = 0
    cuts: int = 0
    recovery: float | None = None
    latest: float | None = None
    log_lines: int = 0
    breaches: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def breach(self, kind: str, note: str) -> None:
        self.breaches[kind] += 1
        self.notes.append(f"{kind}: {note}")

    @property
    def clean(self) -> bool:
        return not self.breaches


async def one_run(
    stack: Stack, fault_name: str, fault: Fault, seed: int, patience: float = PATIENCE_SECONDS
) -> Outcome:
    """Run `fault` under load on a running stack; everything runs again afterwards.

    What has not arrived `patience` seconds after the fault, or after the load, counts as lost.
    """
    outcome = Outcome(fault_name, seed)
    rng = random.Random(seed)
    latest = Latest(f"run-{seed}-{VICTIMS.get(fault_name, '')}")
    logs = LogVolume(process.log for process in stack.processes.values())
    async with under_load(stack, outcome, rng, patience, latest.heard) as (crowd, load):
        await fault(stack, rng)
        outcome.recovery = await recovered(crowd, load, outcome, patience)
    outcome.latest = latest.seconds(load.accepted_at)
    outcome.log_lines = logs.most()
    for excess in logs.excesses():
        outcome.breach("log", excess)
    return outcome


@asynccontextmanager
async def under_load(
    stack: Stack, outcome: Outcome, rng: random.Random, patience: float, heard: Heard | None = None
) -> AsyncIterator[tuple[Crowd, Load]]:
    """Run clients and traffic until the end of the block, then check every accepted notification.

    Every fault, also in the block, is a breach in `outcome`. `heard` gets every client's frames.
    """
    seed = outcome.seed
    stack.run = f"run-{seed}"
    users = [f"run-{seed}-user-{number}" for number in range(USERS)]
    crowd = Crowd(stack, users, random.Random(rng.random()), heard)
    load = Load(stack, crowd, random.Random(rng.random()))
    producer = _producer(stack, f"run-{seed}", users)
    try:
        await crowd.enter()
        crowd.start_cutting()
        load.start()
        await asyncio.sleep(rng.uniform(1, 2.5))
        yield crowd, load
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        await load.stop()
        await asyncio.to_thread(producer.terminate)
        _add_orders(stack, f"run-{seed}", load)
        await crowd.stop_cutting()
        await _settled(crowd, load, patience)
        await asyncio.to_thread(_balance, stack, crowd, load, outcome)
    except Exception as error:  # the matrix continues and reports it
        outcome.breach("harness", f"{type(error).__name__}: {error}")
    finally:
        await crowd.leave()
        await asyncio.to_thread(producer.kill)
        for part in stack.dead():
            outcome.breach("state", f"{part} was dead at the end:\n{stack.processes[part].tail(15)}")
            await asyncio.to_thread(stack.start_again, part)
    outcome.repeated = load.repeated
    outcome.cuts = sum(client.ledger.connections - 1 for client in crowd.clients)


def _producer(stack: Stack, run: str, users: list[str]) -> Process:
    command = [sys.executable, "-m", "tests.chaos.producer", run, *users]
    log = stack.folder / f"producer-{run}.log"
    process = Process("producer", command, env=stack.env, log=log, cwd=stack.tree)
    return process.start().wait_logged("ready", 30)


def _add_orders(stack: Stack, run: str, load: Load) -> None:
    """Add what the producer committed: it must be delivered in the order of its commits."""
    engine = sa.create_engine(stack.backends[0].database_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(TABLE.select().where(TABLE.c.run == run).order_by(TABLE.c.number)).all()
    for row in rows:
        load.accepted[row.user_id].add(row.id)
        load.sequences[f"{row.user_id} orders"].append(row.id)
        load.recipients[row.id] = 1


def _has_all(client: LedgerClient, wanted: dict[str, set[str]]) -> bool:
    return client.ledger.live and wanted.get(client.user_id, set()) <= client.ledger.received.keys()


async def recovered(crowd: Crowd, load: Load, outcome: Outcome, patience: float) -> float:
    """Wait until every client has had everything that was accepted up to now; return how long that took.

    Each client that has not within `patience` seconds is a breach.
    """
    begun = time.monotonic()
    wanted = load.snapshot()
    late = set(crowd.clients)
    while late and time.monotonic() - begun < patience:
        late = {c for c in late if c.failure is None and not wanted[c.user_id] <= c.ledger.received.keys()}
        await asyncio.sleep(0.01)
    for client in late:
        outcome.breach("never recovered", f"{client.user_id} {client.device}, closes {client.closes[-3:]}")
    return time.monotonic() - begun


async def _settled(crowd: Crowd, load: Load, patience: float) -> None:
    """Wait until every client without a breach has everything, and a user's devices have the same seq."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        sound = list(crowd.sound())
        heads = {(client.user_id, client.ledger.seq) for client in sound}
        if all(_has_all(client, load.accepted) for client in sound) and len(heads) == len(
            {client.user_id for client in sound}
        ):
            return
        await asyncio.sleep(0.05)


def _balance(stack: Stack, crowd: Crowd, load: Load, outcome: Outcome) -> None:
    """Compare the ledgers with what was accepted, with the inboxes, and with the audit."""
    outcome.accepted = len(load.recipients)
    outcome.events = sum(client.ledger.counts["event"] for client in crowd.clients)
    for refusal in load.refusals:
        outcome.breach("rejected", refusal)
    for client in crowd.clients:
        _balance_client(stack, client, load, outcome)
    _balance_delivered(stack, load, outcome)
    _balance_reports(stack, outcome)
    done = processes.run("notifier", "verify", env=stack.env)
    if done.returncode != 0:
        outcome.breach("audit", f"verify: {done.stdout}{done.stderr}"[:2000])


def _balance_client(stack: Stack, client: LedgerClient, load: Load, outcome: Outcome) -> None:
    if client.failure is not None:
        kind = client.failure.kind if isinstance(client.failure, Breach) else "state"
        outcome.breach(kind, str(client.failure))
        return
    ledger, wanted = client.ledger, load.accepted[client.user_id]
    for identity in wanted - ledger.received.keys():
        outcome.breach("lost", f"{identity} at {client.user_id} {client.device}, live: {ledger.live}")
    for identity in ledger.received.keys() - wanted:
        outcome.breach("invented", f"{identity} at {client.user_id} {client.device}")
    for name in (client.user_id, f"{client.user_id} orders"):
        try:
            ledger.in_order(load.sequences[name])
        except Breach as error:
            outcome.breach(error.kind, f"{name}: {error}")
    if ledger.resets:
        outcome.breach("state", f"{client.user_id} {client.device} was reset: {ledger.resets}")
    with UserApi(stack.backends[0].base_url, stack.backends[0].token(client.user_id)) as api:
        page = api.inbox().json
        for difference in ledger.inbox.differences(page, api.items()):
            outcome.breach("state", f"{client.user_id} {client.device}: {difference}")
        if page["seq"] != ledger.seq:
            outcome.breach("lost", f"{client.user_id} {client.device} at {ledger.seq}, head {page['seq']}")


def _balance_delivered(stack: Stack, load: Load, outcome: Outcome) -> None:
    """Check that what devices got counts as delivered: each was live at the end and acked."""
    # Those with more recipients went to users who never connect, too.
    wanted = {identity: number for identity, number in load.recipients.items() if number <= USERS}
    deadline = time.monotonic() + 10
    while True:
        delivered = _delivered(stack, list(wanted))
        wrong = {identity for identity, number in wanted.items() if delivered.get(identity) != number}
        if not wrong or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    for identity in wrong:
        outcome.breach("delivered", f"{identity}: {delivered.get(identity)} of {wanted[identity]}")


def _delivered(stack: Stack, identities: list[str]) -> dict[str, int]:
    """Return how many recipients of each notification have it, as the report says."""
    query = sa.text(
        "SELECT CAST(notification_id AS VARCHAR(36)), delivered FROM notifier_report_notifications"
        " WHERE CAST(notification_id AS VARCHAR(36)) IN :ids"
    ).bindparams(sa.bindparam("ids", expanding=True))
    engine = sa.create_engine(stack.backends[0].database_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return dict(connection.execute(query, {"ids": identities}).all())


def _balance_reports(stack: Stack, outcome: Outcome) -> None:
    """Check that every reporting view equals a plain count of the rows."""
    database = Database(make_engine(stack.backends[0].database_url, idle_limit=False))
    with database.read() as connection:
        for difference in differences(connection):
            outcome.breach("report", difference)
    database.dispose()
