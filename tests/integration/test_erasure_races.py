"""An erasure beside a mail that is being sent, an ack and a chunk: nothing of the user comes back or stays.

Each other transaction is held open in the middle, the erasure begins, then the other one commits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from models.store import addresses, devices, dispatch, sockets
from models.store.delivered import Ack
from models.store.devices import Closed, Joined
from models.store.sockets import Opened
from models.tables import deliveries, metadata
from models.tables import devices as devices_table
from notifier.channels import Gone, Refused, Result, Retry, Sent, Unknown
from notifier.core.draft import draft
from notifier.core.effects import Acked
from notifier.outbox import recipients
from notifier.outbox.accept import accept
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import now
from tests.harness.people import RULES, People
from tests.harness.world import Published, World
from usecases import erase as usecase
from usecases import reach as reach_usecase
from usecases import reach_outcomes
from usecases.channel_results import InDoubt, Paused
from usecases.unsubscribe import Unsubscription, unsubscribe

USER = "Zaubernuss-erika"
HELD = 0.4  # seconds for which the other transaction stays open, and the erasure waits for it


def erase(world: World) -> None:
    usecase.erase(world.database, Published(), USER, mail=Path("nowhere"))


def held_by(world: World) -> list[str]:
    """The tables and columns that hold the id."""
    with world.database.read() as connection:
        return [
            f"{table.name}.{name}"
            for table in metadata.sorted_tables
            for row in connection.execute(sa.select(table)).mappings()
            for name, value in row.items()
            if USER in str(value)
        ]


@contextmanager
def open_while(
    database: Database, work: Callable[[Connection], object], seconds: float = HELD
) -> Iterator[None]:
    """Do work in a transaction that is still open when the block begins, and commits a moment later."""
    done, failed = threading.Event(), list[BaseException]()

    def hold(connection: Connection) -> None:
        work(connection)
        done.set()
        threading.Event().wait(seconds)

    def run() -> None:
        try:
            database.run(hold)
        except BaseException as error:
            failed.append(error)
            done.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert done.wait(10)
    yield
    thread.join(30)
    assert not failed, failed


def sent_to_both(people: People) -> None:
    people.add(USER, "email")
    people.add("bob", "email")
    people.send(USER, "bob")


@pytest.mark.parametrize(
    "result",
    [Sent("x"), Retry(), Gone("g"), Refused("r"), Unknown("u"), Paused(), InDoubt("d", limit=1)],
    ids=lambda result: type(result).__name__,
)
def test_what_a_provider_says_after_the_erasure_brings_nothing_back(people: People, result: Result) -> None:
    sent_to_both(people)
    claimed = people.claim()
    assert people.states() == ["sending", "sending"]
    erase(people.world)
    for one in claimed:
        people.keep(one, result)
    assert held_by(people.world) == []
    assert [row.user_id for row in people.rows()] == ["bob"]
    people.move_due(100_000)
    again = [one.message.user_id for one in people.claim()]
    assert USER not in again
    assert people.world.violations() == []


def test_a_claim_that_commits_during_the_erasure_leaves_nothing(people: People) -> None:
    sent_to_both(people)
    claimed: list[reach_usecase.Claimed] = []

    def claim(connection: Connection) -> None:
        claimed.extend(reach_usecase._claim(connection, channel="email", limit=10, hosts=(), rules=RULES))

    with open_while(people.world.database, claim):
        erase(people.world)
    assert {one.message.user_id for one in claimed} == {USER, "bob"}
    reach_outcomes.keep(
        people.world.database,
        [reach_outcomes.Outcome(one, Sent("x")) for one in claimed],
        rules=RULES,
        jitter=lambda: 1.0,
    )
    assert held_by(people.world) == []
    assert people.states() == ["sent"]
    assert people.world.violations() == []


def join(connection: Connection, moment: datetime, device: str = "phone") -> None:
    one = Joined(USER, device, "socket", None, 1, 1, None)
    devices.joined(connection, [one], now=moment)


def ack(connection: Connection) -> list[object]:
    acked = Ack(USER, "phone", Acked(1, 1, 0, 2), "socket")
    closed = Closed(USER, "phone", "socket", 2)
    return list(devices.flush(connection, [acked], [closed], now=now()))


def two_alerts(world: World) -> None:
    world.send(USER, "bob")
    world.send(USER)
    world.dispatch()
    with world.database.write() as connection:
        join(connection, world.now)


def test_an_ack_that_commits_during_the_erasure_leaves_nothing(world: World) -> None:
    two_alerts(world)
    delivered: list[object] = []
    with open_while(world.database, lambda connection: delivered.extend(ack(connection))):
        erase(world)
    assert delivered, "the ack came first, so it counted"
    assert held_by(world) == []
    assert world.violations() == []


def test_an_ack_after_the_erasure_writes_nothing(world: World) -> None:
    two_alerts(world)
    erase(world)
    assert world.database.run(ack) == []
    assert held_by(world) == []
    assert world.count(devices_table) == 0


def test_a_socket_with_a_token_from_before_the_erasure_leaves_no_device(world: World) -> None:
    """A gateway that stood still had accepted the token."""
    two_alerts(world)
    early = now().timestamp()
    erase(world)
    old = Joined(USER, "phone", "a", None, 1, 1, None, early)
    new = Joined(USER, "laptop", "b", None, 1, 1, None, now().timestamp())
    other = Joined("bob", "phone", "c", None, 1, 1, None, early)
    world.database.run(lambda c: devices.joined(c, [old, new, other], now=world.now))
    with world.database.read() as connection:
        found = connection.execute(sa.select(devices_table.c.user_id, devices_table.c.device)).all()
    assert sorted(map(tuple, found)) == [(USER, "laptop"), ("bob", "phone")]


def test_a_socket_that_is_written_down_after_the_erasure_leaves_no_row(world: World) -> None:
    """The gateway writes opened sockets a moment later, and stood still in between."""
    two_alerts(world)
    early = now().timestamp()
    erase(world)
    late = now().timestamp()
    opened = [
        Opened(id, user, None, "gateway", world.now, None, 1, None, issued_at)
        for id, user, issued_at in (("a", USER, early), ("b", USER, late), ("c", "bob", early))
    ]
    world.database.run(lambda c: sockets.write(c, opened, ()))
    with world.database.read() as connection:
        assert sorted(connection.scalars(sa.select(metadata.tables["notifier_sockets"].c.id))) == ["b", "c"]


def test_a_link_to_unsubscribe_that_meets_the_erasure_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = recipients.find

    def then_erase(connection: Connection, user_id: str) -> Any:
        found = find(connection, user_id)
        erase(world)
        return found

    world.database.run(lambda connection: profile(connection, world))
    monkeypatch.setattr("usecases.unsubscribe.recipients.find", then_erase)
    unsubscribe(world.database, Published(), Unsubscription(USER, []))
    assert held_by(world) == []


def device(connection: Connection, world: World) -> None:
    join(connection, world.now, "laptop")


def profile(connection: Connection, world: World) -> None:
    recipients.put(connection, USER, {"email": f"{USER}@shop.example"}, now=world.now)


def browser(connection: Connection, world: World) -> None:
    endpoint = f"https://push.example/{USER}"
    addresses.subscribe(connection, USER, endpoint, {"auth": USER}, present=world.now, limit=20)


def notification(connection: Connection, world: World) -> None:
    badge = draft(user_id=USER, event="badge", data={"type": "tasks", "count": 3})
    accept(connection, badge, now=world.now)


@pytest.mark.parametrize("work", [device, profile, browser, notification], ids=lambda work: work.__name__)
def test_what_was_written_before_the_erasure_and_commits_late_leaves_nothing(
    world: World, work: Callable[[Connection, World], None]
) -> None:
    two_alerts(world)
    # Rows that nobody knows yet: none of them is locked, so nothing but the erasure itself waits for them.
    with open_while(world.database, lambda connection: work(connection, world), usecase.SETTLE + 0.6):
        erase(world)
    assert held_by(world) == []
    assert world.violations() == []


def test_a_transaction_that_stays_open_leaves_the_erasure_unfinished(world: World) -> None:
    two_alerts(world)
    with open_while(world.database, lambda connection: device(connection, world), 2.0):
        done = usecase.erase(world.database, Published(), USER, mail=Path("nowhere"), seconds=1.0)
        # SQLite has one writer, so there the erasure waits to begin.
        assert done.left or world.database.engine.dialect.name == "sqlite"
    erase(world)
    assert held_by(world) == []


def test_a_chunk_that_commits_during_the_erasure_leaves_nothing(world: World) -> None:
    others = [f"reader-{number:03}" for number in range(150)]
    id = world.send(*others[:20], USER, *others[20:])
    moment = world.tick()
    # The first chunk reaches the user, the rest of the audience still waits.
    first = lambda c: dispatch.dispatch_chunk(c, id, size=40, now=moment)  # noqa: E731
    with open_while(world.database, first):
        erase(world)
    assert held_by(world) == []
    assert world.violations() == []
    while world.notification(id).state != "dispatched":
        world.chunk(id, 40)
        assert world.violations() == []
    row = world.notification(id)
    assert (row.recipients, row.reached, row.erased_reached, row.erased) == (151, 151, 1, None)
    assert world.count(deliveries) == 150


def test_a_chunk_after_the_erasure_passes_over_the_place(world: World) -> None:
    others = [f"reader-{number:03}" for number in range(150)]
    id = world.send(*others[:60], USER, *others[60:])
    moment = world.tick()
    # The first chunk ends before the user's place; the next one begins when the erasure is over.
    first = lambda c: dispatch.dispatch_chunk(c, id, size=40, now=moment)  # noqa: E731
    with open_while(world.database, first):
        erase(world)
    while world.notification(id).state != "dispatched":
        world.chunk(id, 40)
        assert world.violations() == []
    row = world.notification(id)
    assert (row.reached, row.erased_reached, row.erased) == (150, None, 1)
    assert held_by(world) == []
