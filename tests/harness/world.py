"""A database, a clock, and short methods to build a history in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

from models.store import (
    at_once,
    audit,
    dispatch,
    due,
    expiry,
    inbox,
    log,
    log_base,
    owed,
    pages,
    removal,
    snapshots,
    snooze,
)
from models.store.advance import SomethingOwed
from models.store.fan_out import Dispatched
from models.store.inbox import Changed
from models.tables import deliveries, inboxes, metadata, notifications
from notifier.broker.message import Message
from notifier.core.draft import draft
from notifier.core.errors import DatabaseLocked
from notifier.core.log import ARCHIVED, READ, SNOOZE, UNREAD, Entry, Item, Snapshot, Status, Why
from notifier.outbox import clock, withdraw
from notifier.outbox.accept import Accepted, accept
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import AnyRow, now
from notifier.outbox.withdraw import Updated, Withdrawn
from notifier.settings import Settings
from usecases import retention
from usecases.follow_up import follow_up

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0  # seconds that a change waits for a locked inbox
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def alert(title: str = "Order Shipped", **more: Any) -> dict[str, Any]:
    """Return an alert's data."""
    return {"title": title, "message": "On its way.", "type": "info", **more}


def settings(**given: Any) -> Settings:
    """Return settings without a `.env` file; environment variables still count."""
    return Settings.load(_env_file=None, **given)


def alembic_config() -> Config:
    """Return alembic's configuration, as `alembic` finds it in the root."""
    return Config(ROOT / "alembic.ini")


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the database to a revision, up or down, as `alembic upgrade` and `downgrade` do."""
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        move = command.downgrade if revision == "base" else command.upgrade
        move(config, revision)
        connection.commit()


def empty(database: Database) -> None:
    """Delete every row of every table, except the installation's id."""
    tables = [table for table in metadata.sorted_tables if table.name != "notifier_installation"]
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            names = ", ".join(table.name for table in tables)
            connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
            log_base.begin(connection, now=START)  # the server's timeline, as after a migration
        else:
            for table in reversed(tables):
                connection.execute(sa.delete(table))


class Published:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> None:
        """Keep them."""
        self.messages += messages


@dataclass
class World:
    """A database and a clock, which each action advances by a second."""

    database: Database
    now: datetime = field(default=START)

    def tick(self, seconds: float = 1.0) -> datetime:
        """Advance the clock; return its time."""
        self.now += timedelta(seconds=seconds)
        return self.now

    # ------------------------------------------------------------------ deeds

    def accept(
        self,
        *to: str,
        data: dict[str, Any] | None = None,
        event: str = "alert",
        id: str | None = None,
        key: str | None = None,
        **life: Any,
    ) -> Accepted:
        """Accept one notification."""
        data = alert() if data is None else data
        what = draft(user_ids=to, event=event, data=data, id=id, key=key, **life)
        return self.database.run(lambda connection: accept(connection, what, now=self.tick()))

    def send(self, *to: str, title: str = "Order Shipped", **life: Any) -> str:
        """Accept an alert; return its id."""
        return self.accept(*to, data=alert(title), **life).id

    def badge(self, user: str, kind: str, count: int) -> str:
        """Accept a badge; return its id."""
        return self.accept(user, event="badge", data={"type": kind, "count": count}).id

    def dispatch(self, limit: int = 200) -> list[tuple[str, Entry]]:
        """Dispatch what waits in the single lane, and what is owed; return what to publish, in order."""
        published: list[tuple[str, Entry]] = []
        while True:
            moment = self.tick()
            done = self._plainly(limit, moment) or self._carefully(
                partial(dispatch.dispatch_batch, limit=limit, now=moment)
            )
            published += done.entries
            published += self.dispatch_owed()
            if not done.ids:
                return published

    def dispatch_owed(self) -> list[tuple[str, Entry]]:
        """Dispatch what is owed to users whose inbox is free; return what to publish."""
        published: list[tuple[str, Entry]] = []
        locked: set[str] = set()
        while True:
            with self.database.read() as connection:
                number = owed.oldest(connection, busy=locked, only=(), now=self.now)
            if number is None:
                return published
            done = self.database.run(
                lambda connection, number=number, busy=frozenset(locked): dispatch.dispatch_owed(
                    connection, number, size=1_000, now=self.now, busy=busy
                )
            )
            published += done.entries
            locked |= set(done.busy)

    def chunk(self, id: str, size: int) -> Dispatched:
        """Dispatch the next chunk of a bulk notification."""
        moment = self.tick()
        return self._carefully(partial(dispatch.dispatch_chunk, id=id, size=size, now=moment))

    def _plainly(self, limit: int, moment: datetime) -> Dispatched | None:
        """Dispatch as a worker tries to first, where the database can."""
        if self.database.engine.dialect.name != "postgresql":
            return None
        try:
            return self.database.run_at_once(partial(at_once.dispatch_plain, limit=limit, now=moment))
        except DatabaseLocked:
            return None

    def _carefully(self, work: Callable[..., Dispatched]) -> Dispatched:
        """Dispatch as a worker does: quickly, and carefully when an inbox is locked."""
        try:
            return self.database.run(work)
        except (DatabaseLocked, SomethingOwed):
            return self.database.run(partial(work, careful=True))

    def arrive(self, user: str, count: int = 1) -> list[str]:
        """Send and dispatch alerts to a user; return their ids, oldest first."""
        ids = [self.send(user, title=f"{user} {number}") for number in range(count)]
        self.dispatch()
        return ids

    def read(self, user: str, *ids: str) -> Changed:
        """Mark entries as read."""
        return self._change(user, READ, ids)

    def unread(self, user: str, *ids: str) -> Changed:
        """Mark entries as unread."""
        return self._change(user, UNREAD, ids)

    def archive(self, user: str, *ids: str) -> Changed:
        """Archive entries."""
        return self._change(user, ARCHIVED, ids)

    def snooze(self, user: str, *ids: str, until: datetime | None = None) -> Changed:
        """Snooze entries; by default for an hour of the database's clock."""
        return self._change(user, SNOOZE, ids, until or now() + timedelta(hours=1))

    def unsnooze(self, user: str, *ids: str) -> Changed:
        """Bring snoozed entries back at once."""
        moment = self.tick()
        return self.database.run_patiently(
            lambda connection: snooze.unsnooze(connection, user, ids, now=moment), PATIENCE
        )

    def bring_back(self, limit: int = 1_000) -> list[tuple[str, Entry]]:
        """Bring back what is due, as a worker's timer does."""
        moment = self.tick()
        with self.database.read() as connection:
            users = snooze.whose(connection, limit)
        return self.database.run(
            lambda connection: snooze.bring_back(connection, users, limit=limit, now=moment)
        )

    def seen(self, user: str, through: int) -> Changed:
        """Note what was on the screen."""
        moment = self.tick()
        return self.database.run_patiently(
            lambda connection: inbox.seen(connection, user, through, now=moment), PATIENCE
        )

    def withdraw(self, id: str, *users: str, why: Why = Why.RETRACTED) -> list[tuple[str, Entry]]:
        """Withdraw a notification's row, then tell the logs of these users, or of all who have it."""
        self.sql(
            "UPDATE notifier_notifications SET state = :why, audience = NULL,"
            " ended_at = coalesce(ended_at, accepted_at) WHERE id = :id",
            why=why.value, id=id,
        )  # fmt: skip
        moment = self.tick()

        def tell(connection: Connection) -> list[tuple[str, Entry]]:
            who = users or removal.holders(connection, id, limit=10_000)
            return list(removal.remove(connection, id, who, why, now=moment).entries)

        return self.database.run(tell)

    def _change(self, user: str, op: str, ids: Sequence[str], until: datetime | None = None) -> Changed:
        moment = self.tick()
        return self.database.run_patiently(
            lambda connection: inbox.change(connection, user, op, ids, now=moment, until=until), PATIENCE
        )

    def read_through(self, user: str, seq: int) -> Changed:
        """Mark everything up to `seq` as read."""
        moment = self.tick()
        return self.database.run_patiently(
            lambda connection: inbox.read_through(connection, user, seq, now=moment), PATIENCE
        )

    def purge(self, before: datetime, rows: int = 500) -> int:
        """Purge what is older than `before`, step by step; return the number of entries."""
        after: str | None = ""
        gone = 0
        while after is not None:
            done = retention.step(self.database, before=before, after=after, now=self.tick(), rows=rows)
            gone, after = gone + done.entries, done.after
        return gone

    def fill(self, user: str, how_many: int) -> None:
        """Write a long history of unread alerts, as dispatch would have left it, in three statements."""
        id = self.send(user)
        self.dispatch()
        first = self.notification(id).number + 1
        if self.database.engine.dialect.name == "sqlite":
            other = "printf('00000000-0000-7000-8000-%012x', n + :first)"
        else:
            other = "('00000000-0000-7000-8000-' || lpad(to_hex(n + :first), 12, '0'))::uuid"
        many = (
            "WITH RECURSIVE many(n) AS (SELECT 2 AS n UNION ALL SELECT n + 1 FROM many WHERE n < :how_many)"
        )
        same = (
            "event, data, inbox, sender, recipient, recipients, bulk, position, reached, request_hash, state,"
            " accepted_at, dispatched_at"
        )
        self.sql(
            f"{many} INSERT INTO notifier_notifications (id, {same})"
            f" SELECT {other}, {same} FROM many, notifier_notifications WHERE id = :id",
            id=id, first=first, how_many=how_many,
        )  # fmt: skip
        self.sql(
            f"{many} INSERT INTO notifier_deliveries (user_id, seq, notification_id, inbox, unread, persisted_at)"
            f" SELECT user_id, n, {other}, inbox, n, persisted_at FROM many, notifier_deliveries"
            " WHERE user_id = :user AND seq = 1",
            user=user, first=first, how_many=how_many,
        )  # fmt: skip
        self.sql(
            "UPDATE notifier_inboxes SET seq = :n, unread = :n WHERE user_id = :user", n=how_many, user=user
        )

    def cancel(self, id: str, *, sender: str | None = None) -> Withdrawn:
        """Stop a notification; logs are not told yet."""
        return self.database.run(lambda connection: withdraw.cancel(connection, id, sender=sender))

    def update(self, id: str, data: dict[str, Any], version: int | None = None) -> Updated:
        """Change what a notification says; logs are not told yet."""
        return self.database.run(
            lambda connection: withdraw.update(connection, id, data, version=version, sender=None)
        )

    def be_due(self, *ids: str) -> None:
        """Let the time of scheduled ones come, and be noticed."""
        with self.database.write() as connection:
            past = clock.present(connection) - timedelta(seconds=1)
            n = notifications.c
            scheduled = sa.update(notifications).where(n.id.in_(ids), n.state == "scheduled")
            connection.execute(scheduled.values(deliver_at=past))
            due.take_up(connection, 1_000)

    def expire(self, *ids: str) -> None:
        """Let the time of these be over, and be noticed."""
        with self.database.write() as connection:
            past = clock.present(connection) - timedelta(seconds=1)
            n = notifications.c
            ending = sa.update(notifications).where(
                n.id.in_(ids), n.state.in_(("scheduled", "accepted", "dispatched"))
            )
            connection.execute(ending.values(expires_at=past))
            expiry.expire(connection, 1_000)

    def follow_up(self) -> list[Message]:
        """Tell the logs of what was withdrawn or updated; return what is published."""
        published = Published()
        follow_up(self.database, published)
        return published.messages

    # ------------------------------------------------------------------ looks

    def snapshot(self, user: str, after: int | None = None) -> Snapshot:
        """Return the snapshot with which a socket starts."""
        with self.database.read() as connection:
            return snapshots.snapshot(connection, user, after)

    def log(self, user: str, after: int = 0) -> list[Entry]:
        """Return the user's log."""
        with self.database.read() as connection:
            return log.entries(connection, user, after, limit=1_000_000)

    def page(
        self, user: str, status: Status = Status.ALL, limit: int = 1_000, before: int | None = None
    ) -> list[Item]:
        """Return a page of the inbox."""
        with self.database.read() as connection:
            return pages.page(connection, user, status, limit, before)[0]

    def holds(self, user: str, id: str) -> bool:
        """Whether a user's copy is still kept, in whatever state."""
        d = deliveries.c
        query = sa.select(sa.func.count()).where(d.user_id == user, d.notification_id == id)
        with self.database.read() as connection:
            return bool(connection.scalar(query))

    def item(self, user: str, id: str) -> Item:
        """Return an entry in its present state."""
        return next(item for item in self.page(user) if item.id == id)

    def head(self, user: str) -> tuple[int, int]:
        """Return the head of the log, and the unread count."""
        row = self.one(sa.select(inboxes).where(inboxes.c.user_id == user))
        return row.seq, row.unread

    def delivery(self, user: str, id: str) -> AnyRow:
        """Return the row of one recipient's copy."""
        d = deliveries.c
        return self.one(sa.select(deliveries).where(d.user_id == user, d.notification_id == id))

    def delivered(self, user: str) -> list[int]:
        """Return the seqs that count as delivered by an ack or a single read (not by a watermark)."""
        d = deliveries.c
        query = sa.select(d.seq).where(d.user_id == user, d.delivered_at.is_not(None)).order_by(d.seq)
        with self.database.read() as connection:
            return list(connection.scalars(query))

    def notification(self, id: str) -> AnyRow:
        """Return a notification's row."""
        return self.one(sa.select(notifications).where(notifications.c.id == id))

    def one(self, query: sa.Select[Any]) -> AnyRow:
        """Return the only row of a query."""
        with self.database.read() as connection:
            return connection.execute(query).one()

    def count(self, table: sa.Table) -> int:
        """Return the number of rows of a table."""
        with self.database.read() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0

    def violations(self) -> list[audit.Violation]:
        """Return what the audit finds."""
        with self.database.read() as connection:
            return list(audit.violations(connection))

    def sql(self, statement: str, **values: Any) -> None:
        """Run a statement without the store."""
        with self.database.write() as connection:
            connection.execute(sa.text(statement), values)


def real_time_world(database: Database) -> World:
    """Return a world that begins now, for code that reads the clock itself."""
    return World(database, now())
