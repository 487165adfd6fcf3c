"""What locks rows of several users at the same moment, on PostgreSQL: nobody waits for another in a circle.

The order: the notification's row, then inboxes by user id, then deliveries and changes by (user, seq), acks
too. Follow-ups, expiry and returns lock inboxes and hold no notification; a purge takes the inbox and then
the notification. A transaction that loses a deadlock is tried again elsewhere; here it is an error.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from models.store import devices
from models.store.delivered import FEW, Ack
from notifier.core.effects import Acked
from notifier.core.errors import Conflict, NotFound
from notifier.core.log import READ, SNOOZE
from notifier.outbox import engine
from notifier.outbox.engine import Database
from tests.harness.waiting import until
from tests.harness.world import START, World

USERS = [f"u{number:03}" for number in range(120)]
ROUNDS = 6
ALL = 10_000  # a seq beyond every log's head


@pytest.fixture
def world(postgres_database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which a deadlock is an error, not a second try."""
    monkeypatch.setattr(engine, "RETRIES", 1)
    return World(postgres_database)


def at_once(*deeds: Callable[[], Any]) -> None:
    """Do all at the same moment, and raise what any of them raises."""
    together = Barrier(len(deeds))

    def one(deed: Callable[[], Any]) -> None:
        together.wait()
        deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        for job in [pool.submit(one, deed) for deed in deeds]:
            job.result(timeout=60)


def ack(world: World, seed: int, through: int) -> None:
    """Flush acks of all users, as a gateway does, in whatever order they came."""
    users = random.Random(seed).sample(USERS, len(USERS))
    acks = [Ack(user, None, Acked(0, 0, 0, through)) for user in users]
    world.database.run(lambda c: devices.flush(c, acks, (), now=world.now))


def broadcast(world: World, seed: int) -> str:
    """Dispatch to all, in an order of their own: rows of one user lie elsewhere on the disk each time."""
    id = world.send(*random.Random(seed).sample(USERS, len(USERS)))
    while world.chunk(id, 40).more:
        pass
    return id


@pytest.mark.parametrize("statistics", [False, True])
def test_acks_beside_a_retraction_right_behind_a_broadcast(world: World, statistics: bool) -> None:
    if statistics:
        for seed in range(10):
            broadcast(world, 100 + seed)
        world.sql("ANALYZE notifier_deliveries")
    for seed in range(ROUNDS):
        ids = [broadcast(world, 2 * seed), broadcast(world, 2 * seed + 1)]

        def take_back(ids: list[str] = ids) -> None:
            for id in ids:
                world.cancel(id)
            while world.follow_up():
                pass

        at_once(
            take_back,
            lambda seed=seed: ack(world, seed, ALL),
            lambda seed=seed: ack(world, -seed - 1, ALL),
            lambda: [world.read_through(user, ALL) for user in reversed(USERS)],
        )
    assert world.violations() == []


def test_everything_that_ends_or_moves_entries_beside_everything_that_brings_them(world: World) -> None:
    for seed in range(ROUNDS):
        old = [broadcast(world, seed), broadcast(world, seed + 50)]
        new = world.send(*reversed(USERS))
        singles = [world.send(user, collapse_key="k") for user in USERS[::3]]
        for user in USERS[::2]:
            world._change(user, SNOOZE, old[:1], START)

        def end(old: list[str] = old) -> None:
            for id in old:
                with suppress(Conflict, NotFound):
                    world.expire(id)
            world.follow_up()

        def change(singles: list[str] = singles, old: list[str] = old) -> None:
            for id in (*singles, *old):
                with suppress(Conflict, NotFound):
                    world.update(id, {"title": "New", "message": "m", "type": "info"})
            world.follow_up()

        def chunks(new: str = new) -> None:
            while World(world.database, world.now).chunk(new, 15).more:
                pass

        at_once(
            end,
            change,
            chunks,
            lambda: World(world.database, world.now).dispatch(20),
            world.bring_back,
            lambda: world.purge(world.now - timedelta(seconds=200)),
            lambda seed=seed: ack(world, seed, ALL),
            lambda old=old: [world._change(user, READ, old) for user in reversed(USERS)],
        )
    while world.follow_up():
        pass
    world.dispatch()
    assert world.violations() == []
    left = sa.text("SELECT count(*) FROM notifier_notifications WHERE untold")
    with world.database.read() as connection:
        assert connection.scalar(left) == 0


# ---------------------------------------------------------------------- acks, step by step


def waiting(world: World) -> int:
    """Return how many transactions wait for a lock."""
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with world.database.read() as connection:
        return connection.scalar(query) or 0


def meet(world: World, gate: str, *deeds: Callable[[], Any]) -> None:
    """Hold a row in the middle until every deed waits for it, then let them go on.

    Each has locked by then what comes before that row in its own order, so other orders are a deadlock.
    """
    with ThreadPoolExecutor(len(deeds)) as pool:
        with world.database.engine.connect() as connection:
            connection.execute(sa.text(f"SELECT FROM notifier_deliveries WHERE {gate} FOR UPDATE"))
            jobs: list[Future[Any]] = []
            for deed in deeds:
                jobs.append(pool.submit(deed))
                until(lambda: waiting(world) == len(jobs), 20, "it waits for the row")
            connection.rollback()
        for job in jobs:
            job.result(timeout=60)


MIDDLE = "user_id = 'u060'"


def retract(world: World, ids: list[str]) -> None:
    world.cancel(ids[-1])
    world.follow_up()


def update(world: World, ids: list[str]) -> None:
    world.update(ids[-1], {"title": "New", "message": "m", "type": "info"})
    world.follow_up()


def expire_all(world: World, ids: list[str]) -> None:
    world.expire(*ids)
    world.follow_up()


@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("through", [FEW // 2, ALL])
@pytest.mark.parametrize("deed", [retract, update, expire_all])
def test_acks_lock_deliveries_in_the_order_of_everybody(
    world: World, deed: Callable[[World, list[str]], None], through: int, statistics: bool
) -> None:
    ids = [broadcast(world, seed) for seed in range(3)]
    for user in reversed(USERS):  # on the disk they lie in this order
        ids.append(world.send(user))
        world.dispatch()
    if deed in (retract, update):
        ids = ids[:3]
    if statistics:
        world.sql("ANALYZE notifier_deliveries")
    meet(world, MIDDLE, partial(ack, world, 1, through), partial(deed, world, ids))
    while world.follow_up():
        pass
    assert world.violations() == []


def test_a_long_ack_and_a_read_lock_one_users_deliveries_in_the_same_order(world: World) -> None:
    """PostgreSQL may read a user's rows as they lie on the disk."""
    user = USERS[0]
    ids = [world.send(user) for _ in range(FEW + 36)]
    world.dispatch()
    for seq in range(len(ids), 0, -1):  # on the disk, most newer ones lie before the older ones now
        world.sql("UPDATE notifier_deliveries SET kept_unread = true WHERE seq = :seq", seq=seq)
    meet(
        world,
        f"user_id = '{user}' AND seq = 40",
        lambda: world._change(user, READ, [ids[29], ids[39], ids[49]]),
        partial(ack, world, 1, ALL),
    )
    assert world.violations() == []
