"""Measure reads in SQL at a million deliveries: an inbox page, an unread count, a replay.

python -m bench sql
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bench.million import Shop, fill
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import Metric, Scenario, Values, at_most
from bench.sides import OURS
from models.store import inbox_heads, log, pages
from models.tables import inboxes
from notifier.core.log import Status
from notifier.outbox.engine import Database, make_engine
from tests.harness import postgres
from tests.harness.world import migrate

PER_USER = 50  # deliveries, on average
PAGE = 50
BEHIND = 50
WARM = 50  # of each, not counted


@contextmanager
def filled(deliveries: int, seed: int) -> Iterator[Database]:
    """Yield a PostgreSQL database with that many deliveries, PER_USER for each user."""
    with postgres.fresh_database(postgres.shared_url()) as url:
        database = Database(make_engine(url))
        try:
            migrate(database.engine)
            users = max(1, deliveries // PER_USER)
            fill(database, Shop(deliveries, days=90, users=users, seed=seed))
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("VACUUM ANALYZE"))
            yield database
        finally:
            database.dispose()


@contextmanager
def prepare(*, seed: int, deliveries: int, samples: int) -> Iterator[Database]:  # noqa: ARG001
    """Fill the database, for all rounds."""
    with filled(deliveries, seed) as database:
        yield database


def heads(database: Database, at_least: int) -> dict[str, int]:
    """Return the head of each user whose log has `at_least` entries."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(inboxes.c.user_id, inboxes.c.seq).where(inboxes.c.seq >= at_least)
        )
        return {row.user_id: row.seq for row in rows}


class Statements:
    """Measures statements of an engine, from sending one until all its rows are here."""

    def __init__(self, engine: sa.Engine) -> None:
        self.seconds = 0.0
        self._began = 0.0
        sa.event.listen(engine, "before_cursor_execute", self._before)
        sa.event.listen(engine, "after_cursor_execute", self._after)

    def _before(self, *_given: Any) -> None:
        self._began = time.perf_counter()

    def _after(self, *_given: Any) -> None:
        self.seconds += time.perf_counter() - self._began


def measure(name: str, *, seed: int, deliveries: int, samples: int, given: Database) -> Values:  # noqa: ARG001
    """Run each read in turn for random users, each in a transaction of its own."""
    known = heads(given, BEHIND)
    users = random.Random(seed).choices(sorted(known), k=WARM + samples)
    asked: dict[str, Callable[[Connection, str], Any]] = {
        "page": lambda connection, user: pages.page(connection, user, Status.ALL, PAGE, None),
        "unread": inbox_heads.inbox_row,
        "replay": lambda connection, user: log.entries(connection, user, known[user] - BEHIND, BEHIND),
    }
    statements = Statements(given.engine)
    times: dict[str, list[float]] = {}
    for user in users:
        for what, ask in asked.items():
            with given.read() as connection:
                statements.seconds = 0.0
                began = time.perf_counter()
                ask(connection, user)
                times.setdefault(what, []).append(time.perf_counter() - began)
                times.setdefault(f"{what}_sql", []).append(statements.seconds)
    return {
        key: value for what, took in times.items() for key, value in milliseconds(what, took[WARM:]).items()
    }


SCENARIO = Scenario(
    name="sql",
    title="Reads at a million deliveries",
    about="PostgreSQL with 1,000,000 deliveries to 20,000 users (`bench/million.py`). 2,000 times each, "
    "for users picked at random: a page of 50 of the inbox, the unread count, a replay of the last 50 "
    "events. In SQL: from sending each statement until its rows are here. With Python: the store's whole "
    "function, which makes objects of the rows.",
    sides=(OURS,),
    full={"deliveries": 1_000_000, "samples": 2_000},
    pilot={"deliveries": 10_000, "samples": 100},
    metrics=(
        Metric("page_sql_p99_ms", "inbox page, in SQL, p99", "ms", goal=at_most(5, "ms")),
        Metric("unread_sql_p99_ms", "unread count, in SQL, p99", "ms", goal=at_most(5, "ms")),
        Metric("replay_sql_p99_ms", "replay of 50, in SQL, p99", "ms", goal=at_most(5, "ms")),
        Metric("page_p99_ms", "inbox page, with Python, p99", "ms"),
        Metric("unread_p99_ms", "unread count, with Python, p99", "ms"),
        Metric("replay_p99_ms", "replay of 50, with Python, p99", "ms"),
    ),
    measure=measure,
    prepare=prepare,
)


if __name__ == "__main__":
    alone(SCENARIO)
