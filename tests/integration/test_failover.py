"""A replica without the last commits is promoted: a new log begins by itself, before anything is sent.

This tests the store on private servers; `tests/acceptance/test_failover.py` tests clients and processes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

from models.store import dispatch, inbox_heads, snapshots
from models.store.log_base import CLOCK_IS_WRONG
from models.tables import restores
from notifier.core.errors import DatabaseUnavailable
from notifier.core.log import Snapshot
from notifier.outbox.engine import Database, make_engine
from tests.harness.pgbouncer import PrivatePgBouncer
from tests.harness.postgres import PrivatePostgres, PrivateReplica, execute
from tests.harness.waiting import crowding
from tests.harness.world import World, migrate
from usecases import failover

USER, OTHER, STRANGER = "u1", "u2", "nobody yet"
MANY = 100_000


@dataclass
class Pair:
    """A primary, its replica, and databases that follow the leading one."""

    primary: PrivatePostgres
    replica: PrivateReplica
    leads: PrivatePostgres = field(init=False)
    opened: list[Database] = field(default_factory=list)
    pooled: list[Database] = field(default_factory=list)  # those of a pooler

    def __post_init__(self) -> None:
        self.leads = self.primary

    def open(self, name: str, url: Callable[[], str] | None = None, pool_size: int = 10) -> Database:
        """Open a database by this name on the leading server, or at `url`."""
        engine = make_engine(self.primary.url(name), pool_size=pool_size)

        @event.listens_for(engine, "do_connect")
        def _connect(
            _dialect: object, _record: ConnectionPoolEntry, _args: object, wanted: dict[str, object]
        ) -> None:
            parsed = sa.make_url(url() if url else self.leads.url(name))
            wanted |= {"host": parsed.host, "port": parsed.port, "connect_timeout": 20}
            if url:
                wanted["prepare_threshold"] = (
                    None  # pgbouncer may give each transaction another server connection
                )

        database = Database(engine)
        self.opened.append(database)
        self.pooled += [database] if url else []
        return database

    def world(self, name: str) -> World:
        """Return a world on a migrated database by this name."""
        self.primary.create_database(name)
        world = World(self.open(name))
        migrate(world.database.engine)
        return world

    def fail_over(self, lost: Callable[[], object] = lambda: None) -> None:
        """Promote the replica without the changes of `lost`, and kill the primary."""
        self.replica.catch_up()
        self.replica.lose_the_primary()
        lost()
        self.primary.kill()
        self.replica.promote()
        self.leads = self.replica
        for database in self.opened:
            if database not in self.pooled:
                database.dispose()  # drop the dead connections; each would cause a DatabaseUnavailable


@contextmanager
def a_pair() -> Iterator[Pair]:
    with PrivatePostgres() as primary, PrivateReplica(primary) as replica:
        pair = Pair(primary, replica)
        yield pair
        for database in pair.opened:
            database.dispose()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with a_pair() as pair:
        yield pair


def hello(world: World, user: str, after: int | None = None) -> Snapshot:
    """Return what a gateway sends to a client."""
    return failover.read(world.database, partial(snapshots.snapshot, user_id=user, after=after), world.tick)


def bases(world: World) -> list[tuple[int, int]]:
    """Return the stored bases, each with its timeline."""
    with world.database.read() as connection:
        found = connection.execute(
            sa.select(restores.c.base, restores.c.wal_timeline).order_by(restores.c.base)
        )
        return [(base, timeline) for base, timeline in found]


def test_the_new_log_begins_before_anything_is_sent_whichever_part_notices_first(pair: Pair) -> None:
    """One failover; in each database another operation is the first on the new primary."""
    firsts: dict[str, Callable[[World], object]] = {
        "dispatch": lambda world: world.arrive(USER),
        "hello": lambda world: hello(world, USER, 5),
        "hello_of_a_stranger": lambda world: hello(world, STRANGER),
        "change": lambda world: world.read(USER, world.page(USER)[0].id),
        "watermark": lambda world: world.read_through(USER, 2),
        "change_of_nobody": lambda world: world.read(STRANGER),
        "heads": lambda world: failover.read(
            world.database, lambda connection: inbox_heads.heads(connection, [USER]), world.tick
        ),
    }
    worlds = {name: pair.world(name) for name in firsts}
    for world in worlds.values():
        world.arrive(USER, 3)
        world.arrive(OTHER, 2)
        assert bases(world) == [(0, 1)]

    def lost() -> None:
        for world in worlds.values():
            world.arrive(USER, 20)
            assert hello(world, USER, 3).head == 23

    pair.fail_over(lost)
    for name, world in worlds.items():
        firsts[name](world)
        (_, first), (base, second) = bases(world)
        assert (first, second) == (1, 2), name
        assert base <= round(world.now.timestamp() * 1_000_000)
        told = hello(world, USER, 23)  # of the lost history
        assert (told.reset, told.head) == ("restored", max(base, world.head(USER)[0])), name
        assert hello(world, USER, told.head).reset is None, name
        assert hello(world, USER, 3).reset == "restored", name  # had all that the replica has
        assert hello(world, OTHER, 2).head == hello(world, STRANGER, 0).head == base, name
        # The new log becomes longer than the lost one.
        world.arrive(USER, 100)
        assert hello(world, USER, 23).reset == "restored", name
        assert len(hello(world, USER, told.head).log or ()) == 100, name
        assert len(bases(world)) == 2, name
        assert world.violations() == [], name


def test_concurrent_parts_begin_one_new_log(pair: Pair) -> None:
    world = pair.world("live")
    users = [f"u{number:02}" for number in range(24)]
    for user in users:
        world.arrive(user, 2)
    marked = {user: world.page(user)[0].id for user in users}
    pair.fail_over(lambda: [world.arrive(user, 3) for user in users])
    clocks = [World(world.database, world.tick()) for _ in users]
    barrier = threading.Barrier(len(users))

    def act(number: int) -> None:
        own, user = clocks[number], users[number]
        barrier.wait(20)
        match number % 4:
            case 0:
                own.arrive(user)
            case 1:
                own.read(user, marked[user])
            case 2:
                own.read_through(user, 2)
            case _:
                hello(own, user, 5)

    wide = pair.open("live", pool_size=len(users))
    for clock in clocks:
        clock.database = wide
    with ThreadPoolExecutor(len(users)) as pool:
        list(pool.map(act, range(len(users))))
    world.dispatch()
    ((_, _), (base, timeline)) = bases(world)
    assert timeline == 2
    assert all(entry.seq <= 2 or entry.seq > base for user in users for entry in world.log(user))
    assert all(hello(world, user, 5).reset == "restored" for user in users)
    assert world.violations() == []


def test_a_second_failover_begins_another_log(pair: Pair) -> None:
    world = pair.world("live")
    world.arrive(USER, 3)
    pair.fail_over()
    world.arrive(USER, 2)
    first = world.head(USER)[0]
    with PrivateReplica(pair.replica) as third:
        Pair(pair.replica, third).fail_over(lambda: world.arrive(USER, 5))
        pair.leads = third
        world.database.dispose()
        world.arrive(USER)
        assert [timeline for _, timeline in bases(world)] == [1, 2, 3]
        assert world.head(USER)[0] == bases(world)[-1][0] + 1 > first + 5
        assert hello(world, USER, first + 5).reset == "restored"
        assert world.violations() == []


def test_a_replica_never_decides_where_a_log_ends(pair: Pair) -> None:
    """It may lag: a client would be reset as `ahead` without need."""
    world = pair.world("live")
    world.arrive(USER, 3)
    pair.replica.catch_up()
    pair.leads = pair.replica
    with pytest.raises(DatabaseUnavailable, match="replica"):
        hello(World(pair.open("live")), USER, 3)


def test_a_clock_that_is_behind_does_not_repeat_a_seq(pair: Pair) -> None:
    world = pair.world("live")
    later = world.now.timestamp() + 3_600
    with world.database.write() as connection:
        connection.execute(sa.update(restores).values(base=round(later * 1_000_000)))
    world.arrive(USER, 3)
    head = world.head(USER)[0]
    pair.fail_over()
    world.arrive(USER)
    assert head + CLOCK_IS_WRONG[0] - 4 < world.head(USER)[0] < head + CLOCK_IS_WRONG[1]
    assert world.violations() == []


def test_a_pooler_that_keeps_our_connection_hides_nothing(pair: Pair) -> None:
    world = pair.world("live")
    world.arrive(USER, 3)
    with PrivatePgBouncer(pair.primary) as pooler:
        through = World(pair.open("live", lambda: pooler.url("live"), pool_size=1), world.tick())
        through.arrive(USER, 2)
        kept = pooler.clients("live")

        def lost() -> None:
            through.arrive(USER, 20)

        pair.fail_over(lost)
        pooler.lead_to(pair.replica)
        through.arrive(USER, 100)
        assert pooler.clients("live") == kept, "the connection of before the failover"
        ((_, _), (base, timeline)) = bases(through)
        assert (timeline, through.head(USER)[0]) == (2, base + 100)
        assert hello(through, USER, 25).reset == "restored"
        assert through.violations() == []


def test_a_role_that_may_only_read_and_write_rows_notices_it(pair: Pair) -> None:
    world = pair.world("live")
    world.arrive(USER, 3)
    for statement in (
        "CREATE ROLE plain LOGIN",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO plain",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO plain",
    ):
        execute(pair.primary.url("live"), statement)
    pair.fail_over()
    plain = Database(make_engine(pair.replica.url("live").replace("live@", "plain@")))
    pair.opened.append(plain)
    World(plain, world.tick()).arrive(USER)
    assert [timeline for _, timeline in bases(world)] == [1, 2]


@pytest.mark.alone
def test_the_first_dispatch_waits_for_it_no_longer_with_100_000_inboxes(pair: Pair) -> None:
    world = pair.world("live")
    world.fill(USER, 1_000)
    world.sql(
        "INSERT INTO notifier_inboxes (user_id, seq, purged_seq) SELECT 'n' || n, 9, 9"
        " FROM generate_series(1, :many) n",
        many=MANY,
    )
    pair.fail_over()
    with world.database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM notifier_inboxes")) == MANY + 1
    world.send(USER)
    moment = world.tick()
    begun = time.monotonic()
    world.database.run(lambda connection: dispatch.dispatch_batch(connection, limit=200, now=moment))
    took = time.monotonic() - begun
    assert world.head(USER)[0] == bases(world)[-1][0] + 1
    assert took < 0.1 * crowding()
