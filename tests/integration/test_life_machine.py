"""The life of notifications at any interleaving: what a client makes of the log equals a new read.

A hypothesis state machine over the store: accept (also to several, scheduled, ending, in chunks, with a
collapse key), dispatch, cancel and retract, update, expire, tell the logs, read, archive, snooze, return, seen,
purge, restore; clients that say hello, stay, come back and replay. After each step nothing that is read has
the text of what is withdrawn, and the audit finds nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from models.store import log, log_base, pages, snapshots
from models.tables import metadata, notifications
from notifier.core.errors import Conflict, NotFound
from notifier.core.log import ARCHIVED, READ, SNOOZE, UNREAD, Status
from notifier.core.states import CANCELED, RETRACTED, WITHDRAWN
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from tests.harness.log_reader import LogReader
from tests.harness.world import World, alert, empty
from tests.integration.test_state_machine import quick_sqlite, run

__all__ = ["quick_sqlite"]

USERS = ("u1", "u2", "u3")
TABLES = [table.name for table in metadata.sorted_tables if table.name != "notifier_installation"]
users = st.sampled_from(USERS)
picks = st.integers(0, 20)
n = notifications.c


class Life(RuleBasedStateMachine):
    """One store; `database` is set by the test."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        empty(self.database)
        self.world = World(self.database)
        self.stays = {user: LogReader(user) for user in USERS}  # has the log from its beginning, if it can
        self.comes = {user: LogReader(user) for user in USERS}  # starts again now and then, with a window
        self.ids: list[str] = []
        self.texts: dict[str, set[str]] = {}
        self.answers: dict[str, str] = {}
        self.backup: dict[str, str] | None = None  # the answers when it was made
        self.written = 0

    def pick(self, pick: int) -> str | None:
        return self.ids[pick % len(self.ids)] if self.ids else None

    def text(self) -> str:
        self.written += 1
        return f"text {self.written}."

    def state(self, id: str) -> str | None:
        """The state of a notification; None: it is purged, or lost with a restore."""
        with self.database.read() as connection:
            return connection.scalar(sa.select(n.state).where(n.id == id))

    # ------------------------------------------------------------------ senders

    @rule(to=st.sampled_from([("u1",), ("u1",), ("u2",), ("u1", "u2", "u3")]), bulk=st.booleans(),
          life=st.sampled_from([{}, {}, {"expires_in": 3600}, {"deliver_at": True}, {"collapse_key": "k"}]))  # fmt: skip
    def accept(self, to: tuple[str, ...], bulk: bool, life: dict[str, Any]) -> None:
        text = self.text()
        if "deliver_at" in life:
            life = {"deliver_at": now() + timedelta(days=7)}
        id = self.world.send(*to, title=text, **life)
        if bulk and len(to) > 1:
            self.world.sql("UPDATE notifier_notifications SET bulk = :yes WHERE id = :id", yes=True, id=id)
        self.ids.append(id)
        self.texts[id] = {text}

    @rule()
    def dispatch(self) -> None:
        self.world.dispatch(3)

    @rule()
    def chunk(self) -> None:
        with self.database.read() as connection:
            oldest = sa.select(n.id).where(n.bulk, n.state == "accepted").order_by(n.number).limit(1)
            id = connection.scalar(oldest)
        if id is not None:
            self.world.chunk(id, 1)

    @rule(pick=picks)
    def is_due(self, pick: int) -> None:
        if id := self.pick(pick):
            self.world.be_due(id)

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        if (id := self.pick(pick)) is None:
            return
        try:
            done = self.world.cancel(id)
        except Conflict:
            assert self.state(id) == "expired"
        except NotFound:
            assert self.state(id) is None
        else:
            assert done.status == self.answers.setdefault(id, done.status)
            assert done.status == (RETRACTED if done.reached else CANCELED)

    @rule(pick=picks)
    def update(self, pick: int) -> None:
        if (id := self.pick(pick)) is None:
            return
        text = self.text()
        try:
            self.world.update(id, alert(text))
        except Conflict:
            assert self.state(id) in WITHDRAWN
        except NotFound:
            assert self.state(id) is None
        else:
            self.texts[id].add(text)

    @rule(pick=picks)
    def expire(self, pick: int) -> None:
        if id := self.pick(pick):
            self.world.expire(id)

    @rule()
    def tell(self) -> None:
        self.world.follow_up()

    # ------------------------------------------------------------------ users

    @rule(user=users, op=st.sampled_from([READ, UNREAD, ARCHIVED, SNOOZE]), pick=picks)
    def change(self, user: str, op: str, pick: int) -> None:
        if id := self.pick(pick):
            self.world._change(user, op, [id], now() + timedelta(hours=1) if op == SNOOZE else None)

    @rule(user=users, pick=picks)
    def unsnooze(self, user: str, pick: int) -> None:
        if id := self.pick(pick):
            self.world.unsnooze(user, id)

    @rule(user=users)
    def snoozes_are_over(self, user: str) -> None:
        over = (
            "UPDATE notifier_deliveries SET until = persisted_at WHERE user_id = :user AND until IS NOT NULL"
        )
        self.world.sql(over, user=user)
        self.world.bring_back()

    @rule(user=users, back=st.integers(0, 5), op=st.sampled_from(["read", "seen"]))
    def watermark(self, user: str, back: int, op: str) -> None:
        through = max(1, self.world.snapshot(user).head - back)
        (self.world.read_through if op == "read" else self.world.seen)(user, through)

    # ------------------------------------------------------------------ operators

    @rule(seconds=st.integers(3, 30))
    def purge(self, seconds: int) -> None:
        self.world.purge(self.world.now - timedelta(seconds=seconds))

    @rule()
    def back_up(self) -> None:
        with self.database.write() as connection:
            for table in TABLES:
                connection.execute(sa.text(f"DROP TABLE IF EXISTS backup_{table}"))
                connection.execute(sa.text(f"CREATE TABLE backup_{table} AS SELECT * FROM {table}"))
        self.backup = dict(self.answers)

    @rule()
    def restore(self) -> None:
        if self.backup is None:
            return
        with self.database.write() as connection:
            for table in reversed(TABLES):
                connection.execute(sa.text(f"DELETE FROM {table}"))
            for table in TABLES:
                connection.execute(sa.text(f"INSERT INTO {table} SELECT * FROM backup_{table}"))
        with self.database.write() as connection:
            log_base.restored(connection, now=self.world.tick())
        self.answers = dict(self.backup)

    # ------------------------------------------------------------------ clients

    @rule(user=users)
    def one_that_stays_gets_what_is_new(self, user: str) -> None:
        self.stays[user].hello(self.world, self.stays[user].seq)

    @rule(user=users, window=st.booleans())
    def one_comes_back(self, user: str, window: bool) -> None:
        self.comes[user].hello(self.world, None if window else self.comes[user].seq)

    @rule(user=users)
    def a_replay_from_the_beginning_is_the_present_state(self, user: str) -> None:
        afresh = LogReader(user)
        afresh.hello(self.world, 0)
        assert [line for line in afresh.differs(self.world) if not line.startswith("counts")] == []

    @invariant()
    def what_is_withdrawn_is_nowhere(self) -> None:
        gone = [id for id in self.ids if self.state(id) in WITHDRAWN]
        if not gone:
            return
        with self.database.read() as connection:
            shown = repr([
                [log.entries(connection, user, 0), snapshots.snapshot(connection, user, None)]
                + [pages.page(connection, user, status, 100, None)[0] for status in Status]
                for user in USERS
            ])  # fmt: skip
        for id in gone:
            assert not any(text in shown for text in self.texts[id])

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        assert self.world.violations() == []

    def teardown(self) -> None:
        while self.world.follow_up():
            pass
        for user in USERS:
            afresh = LogReader(user)
            for client in (self.stays[user], self.comes[user], afresh):
                client.hello(self.world, client.seq)
                assert client.differs(self.world) == []
        assert self.world.violations() == []


@pytest.mark.timeout(600)
def test_any_life_gives_every_client_the_state_of_a_new_read(quick_sqlite: Database) -> None:
    run(type("OnSqlite", (Life,), {"database": quick_sqlite}), examples=8, steps=50)


@pytest.mark.timeout(600)
def test_any_life_gives_the_same_on_postgresql(postgres_database: Database) -> None:
    run(type("OnPostgres", (Life,), {"database": postgres_database}), examples=2, steps=30)
