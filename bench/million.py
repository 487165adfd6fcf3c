"""Fill a database with a million deliveries: three months of a shop, which `notifier verify` accepts.

The same seed makes the same rows on SQLite and on PostgreSQL. Most deliveries are single alerts, a tenth
badges, three tenths broadcasts to a thousand. Four of five are acked within a second, some hours later,
some never; some are read one by one, others by a watermark.

    python -m bench.million --database-url sqlite:////tmp/million.db
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import badges, changes, deliveries, devices, inboxes, notifications, read_marks
from notifier.outbox.engine import Database, make_engine
from tests.harness.world import migrate

UNTIL = datetime(2026, 11, 20, tzinfo=UTC)
BROADCAST = 1_000  # recipients
TYPES = ("info", "success", "warning", "error")
BATCH = 50_000  # rows kept in memory before they are written

Row = tuple[Any, ...]

COLUMNS: dict[sa.Table, Sequence[str]] = {
    notifications: (
        "id", "event", "data", "inbox", "sender", "recipient", "recipients", "bulk", "position", "reached",
        "request_hash", "state", "accepted_at", "dispatched_at",
    ),
    deliveries: (
        "user_id", "seq", "notification_id", "inbox", "unread", "persisted_at", "delivered_at", "read_at",
        "archived_at",
    ),
    changes: ("user_id", "seq", "event", "data", "unread", "at"),
    read_marks: ("user_id", "through", "at"),
    badges: ("user_id", "type", "count", "seq"),
    inboxes: ("user_id", "seq", "unread", "read_through"),
    devices: (
        "user_id", "device", "acked_seq", "window_from", "log_from", "sent_seq", "socket", "first_seen_at",
        "last_seen_at",
    ),
}  # fmt: skip


@dataclass
class User:
    """The state of a user's log."""

    id: str
    seq: int = 0
    unread: int = 0
    read_through: int = 0
    acked: int = 0
    seen_at: datetime | None = None
    badges: dict[str, tuple[int, int]] = field(default_factory=dict)  # type -> (count, seq)


class Shop:
    """Makes the rows of a shop's history, in the order of time."""

    def __init__(self, how_many: int, *, days: int, users: int, seed: int, until: datetime = UNTIL) -> None:
        self._random = random.Random(seed)
        self._users = [User(f"user-{number}") for number in range(users)]
        self._how_many, self._days, self._until = how_many, days, until

    def rows(self) -> Iterator[tuple[sa.Table, Row]]:
        """Yield each row with its table; a notification comes before its deliveries."""
        chance, left, number = self._random, self._how_many, 0
        begin = self._until - timedelta(days=self._days)
        while left > 0:
            at = begin + (self._until - begin) * ((self._how_many - left) / self._how_many)
            at += timedelta(microseconds=chance.randrange(1_000_000))
            number += 1
            kind = chance.random()
            many = kind < 0.3 / (0.7 * BROADCAST + 0.3) and left >= BROADCAST <= len(self._users)
            to = chance.sample(self._users, BROADCAST) if many else [chance.choice(self._users)]
            yield from self._notification(number, at, to, badge=not many and kind > 6 / 7)
            left -= len(to)
        for user in self._users:
            yield from self._standing(user, begin)

    def _notification(
        self, number: int, at: datetime, to: Sequence[User], *, badge: bool
    ) -> Iterator[tuple[sa.Table, Row]]:
        chance, millisecond = self._random, int(at.timestamp() * 1000)
        id = f"{millisecond >> 16:08x}-{millisecond & 0xFFFF:04x}-7000-8000-{number:012x}"
        kind = "messages" if badge else chance.choice(TYPES)
        count = chance.randrange(100)
        data: dict[str, Any] = {"type": kind, "count": count} if badge else {
            "title": f"Order {number} shipped", "message": "It is on its way to you.", "type": kind,
            "action": {"label": "Track Order", "url": f"/orders/{number}/track"},
        }  # fmt: skip
        stored = at + timedelta(milliseconds=chance.uniform(3, 12))
        many = len(to) > 100
        yield notifications, (
            id, "badge" if badge else "alert", json.dumps(data), not badge, "system",
            None if many else to[0].id, len(to), many, len(to), len(to), "0" * 64, "dispatched", at, stored,
        )  # fmt: skip
        for user in to:
            if badge:
                user.badges[kind] = count, user.seq + 1
            yield from self._delivery(id, user, stored, inbox=not badge)

    def _delivery(self, id: str, user: User, at: datetime, *, inbox: bool) -> Iterator[tuple[sa.Table, Row]]:
        chance = self._random.random()
        acked = self._acked(at)
        user.seq += 1
        seq = user.seq
        user.unread += inbox
        opened = (acked or at) + timedelta(seconds=self._random.expovariate(1 / 600))
        reads = inbox and chance < 0.25 and opened < self._until
        archives = reads and chance < 0.03
        unread = user.unread
        yield deliveries, (
            user.id, seq, id, inbox, unread, at, acked or (opened if reads else None),
            opened if reads else None, opened if archives else None,
        )  # fmt: skip
        if acked:
            user.acked, user.seen_at = seq, acked
        if reads:
            user.unread -= 1
            event = "inbox.archived" if archives else "inbox.read"
            yield self._change(user, event, {"ids": [id]}, opened)
        elif inbox and chance > 0.97:
            user.unread, user.read_through = 0, seq
            yield read_marks, (user.id, seq, opened)
            yield self._change(user, "inbox.read", {"through": seq}, opened)

    def _acked(self, at: datetime) -> datetime | None:
        fate = self._random.random()
        if fate < 0.8:
            wait = self._random.lognormvariate(-3.2, 0.8)
        elif fate < 0.92:
            wait = self._random.expovariate(1 / 20_000)
        else:
            return None
        moment = at + timedelta(seconds=wait)
        return moment if moment < self._until else None

    def _change(self, user: User, event: str, data: dict[str, Any], at: datetime) -> tuple[sa.Table, Row]:
        user.seq += 1
        return changes, (user.id, user.seq, event, json.dumps(data), user.unread, at)

    def _standing(self, user: User, begin: datetime) -> Iterator[tuple[sa.Table, Row]]:
        if not user.seq:
            return
        yield inboxes, (user.id, user.seq, user.unread, user.read_through)
        for kind, (count, seq) in user.badges.items():
            yield badges, (user.id, kind, count, seq)
        if user.seen_at:
            yield devices, (
                user.id, "browser", user.acked, 1, 0, user.acked, "00000000", begin, user.seen_at
            )  # fmt: skip


def fill(database: Database, shop: Shop) -> int:
    """Write the rows of `shop` into an empty, migrated database in one transaction; return their number."""
    waiting: dict[sa.Table, list[Row]] = {table: [] for table in COLUMNS}
    total = 0
    with database.write() as connection:
        for table, row in shop.rows():
            waiting[table].append(row)
            total += 1
            if total % BATCH == 0:
                _write(connection, waiting)
        _write(connection, waiting)
    with database.write() as connection:
        connection.execute(sa.text("ANALYZE"))
    return total


def _write(connection: Connection, waiting: dict[sa.Table, list[Row]]) -> None:
    postgres = connection.dialect.name == "postgresql"
    for table, rows in waiting.items():
        if postgres:
            _copy(connection, table, rows)
        elif rows:
            marks = ", ".join("?" * len(COLUMNS[table]))
            names = ", ".join(COLUMNS[table])
            connection.exec_driver_sql(
                f"INSERT INTO {table.name} ({names}) VALUES ({marks})", [tuple(map(_text, r)) for r in rows]
            )
        rows.clear()


def _text(value: Any) -> Any:
    """Return a time as text, as SQLite stores it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value


def _copy(connection: Connection, table: sa.Table, rows: Iterable[Row]) -> None:
    raw: Any = connection.connection.driver_connection
    names = ", ".join(f'"{name}"' for name in COLUMNS[table])
    with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def main(words: Sequence[str] | None = None) -> None:
    """Migrate the database and fill it."""
    parser = argparse.ArgumentParser(prog="bench.million", description=__doc__)
    parser.add_argument("--database-url", required=True, help="an empty database")
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(words)
    database = Database(make_engine(given.database_url))
    migrate(database.engine)
    began = time.monotonic()
    shop = Shop(given.deliveries, days=given.days, users=given.users, seed=given.seed)
    total = fill(database, shop)
    print(f"rows={total} seconds={time.monotonic() - began:.0f}", file=sys.stderr)
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
    database.dispose()


if __name__ == "__main__":
    main()
