"""One run with channels: alerts with a category, preferences that change, a fault; then rows and records are compared."""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from models.tables import addresses, deliveries, reach, recipients
from notifier.channels import Entry, Message
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.types import AnyRow
from tests.chaos.channel_stack import SENDER, ChannelStack
from tests.harness import processes
from tests.harness.backend_api import BackendApi, UserApi
from worker.channels.mail import message_id, sender_domain
from worker.channels.push import topic

STEADY, CHANGING = 4, 4  # users; the preferences of the latter change all the while
PATIENCE_SECONDS = 60.0
ENDS = ("sent", "unknown", "skipped")
IN_FLIGHT = 8  # for each channel of a worker

#: What a user changes, one after the other; the last one takes everything back.
CHANGES = [
    {"categories": {"orders": {"email": "off"}}},
    {"categories": {"orders": {"inbox": "off"}}},
    {"categories": {"orders": {"email": "weekly", "inbox": None}}},
    {"quiet_hours": {"from": "00:00", "to": "23:59", "timezone": "UTC"}},
    {"channels": {"push": "off"}, "categories": {"orders": {"email": "instant"}}},
]
BACK = {
    "categories": {"orders": {"email": None, "inbox": None}},
    "channels": {"push": None, "email": None},
    "quiet_hours": None,
    "paused_until": None,
}


@dataclass
class ChannelOutcome:
    """The result of a run."""

    fault: str
    seed: int
    accepted: int = 0
    rows: Counter[str] = field(default_factory=Counter)  # "channel state" -> count
    notes: list[str] = field(default_factory=list)
    recovery: float = 0.0


class Traffic:
    """Senders and people who change their minds, each in a thread."""

    def __init__(self, stack: ChannelStack, run: str, rng: random.Random) -> None:
        self.steady = [f"{run}-steady-{number}" for number in range(STEADY)]
        self.changing = [f"{run}-changing-{number}" for number in range(CHANGING)]
        self.accepted: dict[str, list[str]] = {}
        self.notes: list[str] = []
        self._stack, self._rng = stack, rng
        self._stopping = threading.Event()
        seeds = [random.Random(rng.random()) for _ in range(2 + CHANGING)]
        work: list[Callable[[], None]] = [lambda r=seeds[i]: self._send(r) for i in range(2)]  # type: ignore[misc]
        work += [
            lambda u=user, r=seed: self._change(u, r)  # type: ignore[misc]
            for user, seed in zip(self.changing, seeds[2:], strict=True)
        ]
        self._threads = [threading.Thread(target=one, daemon=True) for one in work]

    def start(self) -> None:
        """Give everybody their addresses, and begin."""
        database = Database(make_engine(self._stack.backends[0].database_url))
        now = datetime.now(UTC)
        with database.write() as connection:
            for user in [*self.steady, *self.changing]:
                connection.execute(sa.insert(recipients).values(user_id=user, updated_at=now))
                for channel, address, details in (
                    ("email", f"{user}@example.org", None),
                    ("push", f"http://127.0.0.1:{self._stack.ports['push']}/{user}", subscription()),
                ):
                    connection.execute(
                        sa.insert(addresses).values(
                            user_id=user, channel=channel, address=address, details=details, created_at=now
                        )
                    )
        database.dispose()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more; preferences are as at the beginning then."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _send(self, rng: random.Random) -> None:
        backend = self._stack.backends[0]
        with BackendApi(backend.base_url, backend.api_key, timeout=10) as api:
            while not self._stopping.wait(rng.uniform(0.02, 0.15)):
                users = rng.sample([*self.steady, *self.changing], rng.randint(1, 3))
                body = {
                    "user_ids": users, "category": "orders", "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
                    "data": {"title": "Order", "message": "m", "type": "info"},
                }  # fmt: skip
                if id := self._until(lambda body=body: api.notify(body), 202):  # type: ignore[misc]
                    self.accepted[id] = users

    def _change(self, user: str, rng: random.Random) -> None:
        backend = self._stack.backends[0]
        number = 0
        with UserApi(backend.base_url, backend.token(user), timeout=10) as api:
            while not self._stopping.wait(rng.uniform(0.1, 0.6)):
                number += 1
                change = CHANGES[number % len(CHANGES)]
                self._until(lambda change=change: api.prefer(change), 200)  # type: ignore[misc]
            self._until(lambda: api.prefer(BACK), 200)

    def _until(self, call: Callable[[], object], wanted: int) -> str | None:
        """Repeat a call until it is answered; return the id in the answer."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer: object = call()
            except OSError:
                time.sleep(0.2)
                continue
            status = answer.status  # type: ignore[attr-defined]
            if status == wanted:
                return str(answer.json.get("id", ""))  # type: ignore[attr-defined]
            if status < 500:
                self.notes.append(f"refused: {answer}")
                return None
            time.sleep(0.2)
        self.notes.append("refused: no answer")
        return None


def subscription() -> dict[str, str]:
    """Return the keys of a browser's subscription."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {"p256dh": _text(raw), "auth": _text(os.urandom(16))}


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def one_run(
    stack: ChannelStack,
    name: str,
    fault: Callable[[ChannelStack, random.Random], None],
    seed: int,
    *,
    certain: bool,
) -> ChannelOutcome:
    """Run a fault under traffic, and compare. `certain`: nothing may be unknown after it."""
    outcome = ChannelOutcome(name, seed)
    rng = random.Random(seed)
    traffic = Traffic(stack, f"run-{seed}", rng)
    traffic.start()
    time.sleep(rng.uniform(0.8, 1.5))
    try:
        fault(stack, rng)
        time.sleep(rng.uniform(0.5, 1))
    except AssertionError as error:
        outcome.notes.append(f"harness: {error}")
    traffic.stop()
    begun = time.monotonic()
    outcome.notes += traffic.notes
    outcome.accepted = len(traffic.accepted)
    database = Database(make_engine(stack.backends[0].database_url))
    try:
        every = _settled(database, traffic)
        rows = [row for row in every if row.notification_id in traffic.accepted]
        outcome.recovery = time.monotonic() - begun
        outcome.rows = Counter(f"{row.channel} {row.state}" for row in rows)
        outcome.notes += differences(database, stack, traffic, every, certain=certain)
    finally:
        database.dispose()
    done = processes.run("notifier", "verify", env=stack.env)
    if done.returncode:
        outcome.notes.append(f"audit: {done.stdout}{done.stderr}"[:1_000])
    for part in stack.dead():
        outcome.notes.append(f"state: {part} was dead at the end")
        stack.start_again(part)
    return outcome


def _settled(database: Database, traffic: Traffic) -> list[AnyRow]:
    """Wait until every notification is dispatched and every row has ended; return them, also of earlier runs."""
    ids = list(traffic.accepted)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with database.read() as connection:
            query = sa.select(reach, addresses.c.address).outerjoin(
                addresses, addresses.c.id == reach.c.address_id
            )
            rows = list(connection.execute(query))
            left = connection.scalar(
                sa.text("SELECT count(*) FROM notifier_notifications WHERE state <> 'dispatched'")
            )
        if (ids and not left and all(row.state in ENDS for row in rows)) or time.monotonic() > deadline:
            return rows
        time.sleep(0.2)


def differences(
    database: Database, stack: ChannelStack, traffic: Traffic, every: list[AnyRow], *, certain: bool
) -> Iterator[str]:
    """Return what rows, inboxes and the records of the servers disagree about."""
    records = {kind: Counter(stack.taken(kind)) for kind in stack.ports}
    died = {kind: stack.unanswered(kind) for kind in stack.ports}
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in every:
        service = "mail" if row.channel == "email" else "push"
        key = _key(row)
        if row.notification_id not in traffic.accepted:
            records[service].pop(key, None)
            continue
        taken, what = records[service].pop(key, 0), f"{row.channel} {row.notification_id} for {row.user_id}"
        found[row.notification_id, row.user_id].append(row.channel)
        if row.state not in ENDS:
            yield f"forgotten: {what} is {row.state} after {row.attempts} attempts: {row.reason}"
        if taken > 1:
            yield f"doubled: {what} was taken {taken} times, {row.state}"
        if row.state == "sent" and not taken:
            yield f"invented: {what} is sent, and nobody has it"
        if row.state in ("skipped", "waiting") and taken:
            yield f"denied: {what} is {row.state}, and was taken"
        if key in died[service] and row.state != "unknown":
            yield f"certain: {what} is {row.state}, and nobody can know"
        if certain and row.state == "unknown":
            yield f"unknown: {what}, and nothing was lost"
    for service, record in records.items():
        for key in record:
            yield f"invented: the {service} service has {key}, and there is no row"
    with database.read() as connection:
        query = sa.select(deliveries.c.notification_id, deliveries.c.user_id)
        arrived = {(row.notification_id, row.user_id) for row in connection.execute(query)}
    for id, users in traffic.accepted.items():
        for user in users:
            channels = sorted(found.pop((id, user), []))
            if user in traffic.steady and channels != ["email", "push"]:
                yield f"forgotten: {id} for {user} has rows for {channels}"
            if channels and (id, user) not in arrived:
                yield f"invented: {id} for {user} has rows for {channels}, and is not in the inbox"


def _key(row: AnyRow) -> str:
    """Return how the service's record calls what a row sends."""
    entry = Entry(row.notification_id, "alert", {}, row.category, datetime.now(UTC))
    message = Message(row.channel, row.address, row.user_id, (entry,), digest=row.digest)
    if row.channel == "email":
        return message_id(message, sender_domain(SENDER))
    return f"/{row.user_id} {topic(message)}"
