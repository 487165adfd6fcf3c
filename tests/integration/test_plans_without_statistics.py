"""PostgreSQL without statistics, as after a migration or a restore: no statement reads a table once for each row.

A planner without statistics takes one row in 200 for NULL. A statement for many named rows, with two such
conditions, was planned as if no row kept them both: 4.5 s for 4,000 acks, instead of 36 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import at_once, delivered, dispatch, inbox, removal, snooze, untold
from models.store.delivered import Ack
from models.tables import deliveries
from notifier.core.effects import Acked
from notifier.core.log import ARCHIVED, SNOOZE, Why
from notifier.outbox.engine import Database, make_engine
from tests.harness import postgres
from tests.harness.world import World, migrate

LONG, USERS = 4_000, 300
TABLES = ("notifier_deliveries", "notifier_changes", "notifier_notifications", "notifier_inboxes")


@pytest.fixture(scope="module")
def world(postgres_server: str) -> Iterator[World]:
    """A log of 4,000 entries and 300 short ones, and no statistics of any table."""
    with postgres.fresh_database(postgres_server) as url:
        database = Database(make_engine(url))
        migrate(database.engine)
        world = World(database)
        for table in TABLES:
            world.sql(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        world.fill("long", LONG)
        yield world
        database.dispose()


def joins_by_scanning(database: Database, work: Callable[[Connection], object]) -> list[str]:
    """Run work, roll it back; return its statements that compare each row of one side with all of the other."""
    seen: list[tuple[str, Any]] = []

    def listen(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            seen.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    with database.engine.connect() as connection:
        sa.event.listen(database.engine, "before_cursor_execute", listen)
        try:
            work(connection)
        finally:
            sa.event.remove(database.engine, "before_cursor_execute", listen)
        slow = []
        for statement, parameters in seen:
            (answer,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).one()
            if _scans_in_a_loop(answer[0]["Plan"]):
                slow.append(statement)
        connection.rollback()
    assert seen
    return slow


def _scans_in_a_loop(node: dict[str, Any]) -> bool:
    children = node.get("Plans", [])
    if node["Node Type"] == "Nested Loop" and "Join Filter" in node and any(map(_scans, children)):
        return True
    return any(map(_scans_in_a_loop, children))


def _scans(node: dict[str, Any]) -> bool:
    if node["Node Type"] in ("Materialize", "Memoize"):
        return any(map(_scans, node["Plans"]))
    return node["Node Type"] == "Seq Scan" and node["Relation Name"] in TABLES


def first_ids(world: World, how_many: int) -> list[str]:
    with world.database.read() as connection:
        return list(connection.scalars(sa.select(deliveries.c.notification_id).limit(how_many)))


def test_acks_are_looked_up(world: World) -> None:
    few = [Ack("long", None, Acked(0, 0, first, first + 60)) for first in range(0, LONG - 60, 60)]
    many = [Ack("long", None, Acked(0, 0, 0, LONG)), Ack("u1", None, Acked(0, 0, 0, 100))]
    for acks in (few, many):
        work = partial(delivered.deliver, acks=acks, now=world.now)
        assert joins_by_scanning(world.database, work) == []


def test_changes_are_looked_up(world: World) -> None:
    ids, now = first_ids(world, 1_000), world.now

    def snooze_and_return(connection: Connection) -> None:
        inbox.change(connection, "long", ARCHIVED, ids[:500], now=now)
        inbox.change(connection, "long", SNOOZE, ids, now=now, until=now)
        snooze.bring_back(connection, ["long"], limit=400, now=now)
        snooze.unsnooze(connection, "long", ids, now=now)

    assert joins_by_scanning(world.database, snooze_and_return) == []


def test_a_broadcast_its_update_and_its_end_are_looked_up(world: World) -> None:
    users = [f"u{number}" for number in range(USERS)]
    id = world.send(*users)

    def whole_life(connection: Connection) -> None:
        dispatch.dispatch_chunk(connection, id, size=USERS, now=world.now)
        updated = sa.text("UPDATE notifier_notifications SET version = 2, untold = true WHERE id = :id")
        connection.execute(updated, {"id": id})
        what = untold.find(connection, id)
        assert what is not None
        assert len(untold.tell(connection, what, after="", limit=USERS, now=world.now).entries) == USERS
        assert len(removal.remove(connection, id, users, Why.RETRACTED, now=world.now).entries) == USERS

    assert joins_by_scanning(world.database, whole_life) == []


def test_plain_alerts_are_looked_up(world: World) -> None:
    for number in range(USERS):
        world.send(f"u{number}")
    work = partial(at_once.dispatch_plain, limit=USERS, now=world.now)
    assert joins_by_scanning(world.database, work) == []


def test_ends_of_many_are_looked_up(world: World) -> None:
    def end(connection: Connection) -> None:
        ending = sa.text(
            "UPDATE notifier_notifications SET state = 'expired', untold = true WHERE number % 8 = 0"
        )
        connection.execute(ending)
        whats = untold.some(connection, 500)
        assert len(untold.tell_together(connection, whats, now=world.now).entries) == 1
        untold.all_told(connection, whats)

    assert joins_by_scanning(world.database, end) == []
