"""The life of notifications at any interleaving: what a client makes of the log equals a new read.

A hypothesis state machine over the store: accept (also to several, scheduled, ending, in chunks), dispatch,
cancel, update, expire, tell the logs, read, archive. Clients read the log at any moment. After each step
nothing that is read has the text of what is withdrawn, and the audit finds nothing.
"""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from models.store import log, pages, snapshots
from models.tables import notifications
from notifier.core.errors import Conflict
from notifier.core.log import ARCHIVED, MOVES, READ, UNREAD, UPDATED, Status
from notifier.core.states import CANCELED, RETRACTED, WITHDRAWN
from notifier.outbox.engine import Database
from tests.harness.world import World, alert, empty
from tests.integration.test_state_machine import quick_sqlite, run

__all__ = ["quick_sqlite"]

USERS = ("u1", "u2", "u3")
users = st.sampled_from(USERS)
picks = st.integers(0, 20)
n = notifications.c


class Reader:
    """A client that knows nothing but the log: each entry's state and data, by id."""

    def __init__(self) -> None:
        self.seq = 0
        self.unread = 0
        self.entries: dict[str, tuple[Status, Any]] = {}

    def reads(self, world: World, user: str) -> None:
        for entry in world.log(user, self.seq):
            assert entry.seq == self.seq + 1
            self.seq, self.unread = entry.seq, entry.unread
            if entry.id is not None:
                self.entries[entry.id] = (Status.UNREAD, entry.data)
            elif entry.event == UPDATED:
                for id in entry.data["ids"]:
                    if id in self.entries:
                        self.entries[id] = (self.entries[id][0], entry.data["data"])
            elif entry.event == ARCHIVED and entry.data["why"] != "user":
                for id in entry.data["ids"]:
                    self.entries.pop(id, None)
            else:
                self._moves(entry.event, entry.data)

    def _moves(self, op: str, data: Any) -> None:
        sources, target = MOVES[op]
        for id in data["ids"]:
            status, said = self.entries.get(id, (Status.ALL, None))
            if status in sources:
                self.entries[id] = (target, said)


class Life(RuleBasedStateMachine):
    """One store; `database` is set by the test."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        empty(self.database)
        self.world = World(self.database)
        self.readers = {user: Reader() for user in USERS}
        self.ids: list[str] = []
        self.texts: dict[str, set[str]] = {}
        self.answers: dict[str, str] = {}

    def pick(self, pick: int) -> str | None:
        return self.ids[pick % len(self.ids)] if self.ids else None

    def text(self) -> str:
        return f"text {len(self.texts)} {sum(map(len, self.texts.values()))}."

    @rule(to=st.sampled_from([("u1",), ("u2",), ("u1", "u2", "u3")]), bulk=st.booleans(),
          life=st.sampled_from([{}, {}, {"expires_in": 3600}, {"deliver_at": True}]))  # fmt: skip
    def send(self, to: tuple[str, ...], bulk: bool, life: dict[str, Any]) -> None:
        text = self.text()
        if "deliver_at" in life:
            life = {"deliver_at": "2027-01-02T03:04:05Z"}
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
        id = self.pick(pick)
        if id is not None:
            self.world.be_due(id)

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        if (id := self.pick(pick)) is None:
            return
        try:
            done = self.world.cancel(id)
        except Conflict:
            assert self.world.notification(id).state == "expired"
            return
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
            assert self.world.notification(id).state in WITHDRAWN
        else:
            self.texts[id].add(text)

    @rule(pick=picks)
    def expire(self, pick: int) -> None:
        if id := self.pick(pick):
            self.world.expire(id)

    @rule()
    def tell(self) -> None:
        self.world.follow_up()

    @rule(user=users, op=st.sampled_from([READ, UNREAD, ARCHIVED]), pick=picks)
    def change(self, user: str, op: str, pick: int) -> None:
        if id := self.pick(pick):
            self.world._change(user, op, [id])

    @rule(user=users)
    def client_reads(self, user: str) -> None:
        self.readers[user].reads(self.world, user)

    @invariant()
    def what_is_withdrawn_is_nowhere(self) -> None:
        gone = [id for id in self.ids if self.world.notification(id).state in WITHDRAWN]
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
        for user, reader in self.readers.items():
            reader.reads(self.world, user)
            afresh = Reader()
            afresh.reads(self.world, user)
            page = {item.id: (item.status, item.data) for item in self.world.page(user)}
            assert reader.entries == page
            assert afresh.entries == page
            unread = sum(status is Status.UNREAD for status, _ in page.values())
            with self.database.read() as connection:
                at = snapshots.snapshot(connection, user, None)
            assert (at.head, at.unread) == (reader.seq, unread)
            assert reader.unread == unread or reader.seq == 0
        assert self.world.violations() == []


@pytest.mark.timeout(600)
def test_any_life_gives_every_client_the_state_of_a_new_read(quick_sqlite: Database) -> None:
    run(type("OnSqlite", (Life,), {"database": quick_sqlite}), examples=6, steps=30)


@pytest.mark.timeout(600)
def test_any_life_gives_the_same_on_postgresql(postgres_database: Database) -> None:
    run(type("OnPostgres", (Life,), {"database": postgres_database}), examples=2, steps=20)
