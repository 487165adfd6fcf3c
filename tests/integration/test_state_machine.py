"""Snapshot plus events equal the state, at any interleaving.

A hypothesis state machine over the sans-I/O session and the real store. It sends, dispatches, loses,
doubles, swaps and delays messages of the broker, connects with any seq, cuts, crashes, acks and changes
entries, at every interleaving of "subscribed", "SQL has read" and "the session was told".
Each frame is compared with the oracle when it reaches its client; at the end everything settles, and every
client, the store and the audit must agree.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from models.store import devices, inbox_heads
from models.store.delivered import Ack
from models.store.devices import Closed, Joined
from models.store.inbox import Changed
from models.store.pages import READ_AT
from models.tables import deliveries
from notifier.core import frames
from notifier.core.effects import Acked, Change, Effect, Fetch, Join, Send
from notifier.core.log import ARCHIVED, READ, UNREAD, Snapshot
from notifier.core.session import Phase, Principal, Session
from notifier.outbox.engine import Database, make_engine
from tests.harness.oracle import Client, Oracle
from tests.harness.world import World, empty, migrate

USERS = ("u1", "u2")
WINDOW, MAX_BEHIND, BUFFER = 4, 10, 3  # small, so that a short history exceeds them
CLIENTS = (("u1", "phone"), ("u1", "tablet"), ("u1", None), ("u2", "phone"))
SETTLED = 1_000  # rounds; far more than needed to settle

users = st.sampled_from(USERS)
clients = st.integers(0, len(CLIENTS) - 1)
picks = st.integers(0, 30)


@dataclass
class Socket:
    """A connection at the gateway: its session, its pending request to SQL, and the frames on the wire."""

    id: str
    who: int
    client: Client
    session: Session
    asked: Join | Fetch | None = None
    answer: Snapshot | None = None
    wire: list[bytes] = field(default_factory=list)
    resets: int = 0  # a request in progress
    cut: bool = False  # the client is gone, and the gateway does not know it yet


class Machine(RuleBasedStateMachine):
    """One gateway, one broker, one store; `database` is set by the test."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        empty(self.database)
        self.world = World(self.database)
        self.oracles = {user: Oracle() for user in USERS}
        self.clients = [Client(user, device, self.oracles[user], WINDOW) for user, device in CLIENTS]
        # What a hello's `after` must count as acked: everything since the connection or a reset
        # began. What it may count: everything that was ever sent to this client.
        self.held: dict[int, set[int]] = {n: set() for n in range(len(CLIENTS))}
        self.sent: dict[int, set[int]] = {n: set() for n in range(len(CLIENTS))}
        self.sockets: dict[int, Socket] = {}
        self.ghosts: list[Socket] = []  # cut, not yet noticed
        self.flight: list[tuple[str, int, bytes]] = []  # messages at the broker
        self.acks: list[Ack] = []
        self.claims: list[tuple[str, set[int]]] = []  # what those acks must deliver
        self.closed: list[Closed] = []
        self.number = 0

    # ------------------------------------------------------------------ sending

    @initialize(count=st.integers(0, 14), live=st.sets(clients))
    def begin_with_a_history_and_some_clients(self, count: int, live: set[int]) -> None:
        for _ in range(count):
            self.world.send("u1")
        self.dispatch(50)
        self.flight.clear()
        for who in sorted(live):
            self.connect(who, None)
            self.goes_live(who)

    @rule(to=st.sampled_from([("u1",), ("u2",), ("u1", "u2"), ("u2", "u1")]))
    def send(self, to: tuple[str, ...]) -> None:
        self.world.send(*to)

    @rule(user=users, kind=st.sampled_from(["tasks", "messages"]), count=st.integers(0, 5))
    def set_badge(self, user: str, kind: str, count: int) -> None:
        self.world.badge(user, kind, count)

    @rule(limit=st.integers(1, 4))
    def dispatch(self, limit: int) -> None:
        for user, entry in self.world.dispatch(limit):
            assert entry.id is not None
            self.oracles[user].arrives(entry.event, entry.id, entry.data)
            assert (entry.seq, entry.unread) == (self.oracles[user].head, self.oracles[user].now.unread)
            self.flight.append((user, entry.seq, frames.event(user, entry)))

    # ------------------------------------------------------------------ the broker

    @rule(pick=picks, doubled=st.booleans())
    def broker_brings(self, pick: int, doubled: bool) -> None:
        """Deliver any pending message next: swapped or delayed; it stays pending when doubled."""
        if self.flight:
            place = pick % len(self.flight)
            user, seq, frame = self.flight[place] if doubled else self.flight.pop(place)
            self.offer(user, seq, frame)

    @rule()
    def broker_brings_everything(self) -> None:
        flight, self.flight = self.flight, []
        for message in flight:
            self.offer(*message)

    @rule(pick=picks)
    def broker_loses(self, pick: int) -> None:
        if self.flight:
            self.flight.pop(pick % len(self.flight))

    @rule(user=users, ahead=st.integers(1, 40))
    def broker_makes_one_up(self, user: str, ahead: int) -> None:
        """Deliver a seq that was never committed, far after the head; its frame must not reach a client."""
        self.offer(user, self.oracles[user].head + 1_000 + ahead, b'{"op":"nonsense"}')

    def offer(self, user: str, seq: int, frame: bytes) -> None:
        for socket in [*self.sockets.values(), *self.ghosts]:
            if socket.client.user_id == user and socket.session.offer(seq, frame):
                self.perform(socket, socket.session.take())

    @rule()
    def gateway_compares_heads(self) -> None:
        for socket in [*self.sockets.values(), *self.ghosts]:
            with self.database.read() as connection:
                heads = inbox_heads.heads(connection, [socket.client.user_id])
            for head in heads.values():
                if socket.session.heard(head):
                    self.perform(socket, socket.session.take())

    # ------------------------------------------------------------------ connections

    @rule(place=st.sampled_from(["own", "null", "zero", "older", "ahead"]), pick=picks, at_once=st.booleans())
    def client_connects(self, place: str, pick: int, at_once: bool) -> None:
        away = [who for who in range(len(CLIENTS)) if who not in self.sockets]
        if not away:
            return
        who = away[pick % len(away)]
        client = self.clients[who]
        older = sorted(client.remembered)
        after = {
            "own": client.seq if client.seq in client.remembered else None,
            "null": None,
            "zero": 0,
            "older": older[pick % len(older)] if older else 0,
            "ahead": self.oracles[client.user_id].head + 1 + pick,
        }[place]
        self.connect(who, after)
        if at_once:
            self.goes_live(who)

    def connect(self, who: int, after: int | None) -> None:
        client = self.clients[who]
        client.connects(after)
        self.number += 1
        session = Session(lambda token: Principal(token, float("inf")), now=0.0, frames_per_second=1_000_000)
        socket = self.sockets[who] = Socket(f"socket {self.number}", who, client, session)
        self.says(socket, op="hello", token=client.user_id, after=after, device=client.device)

    def goes_live(self, who: int) -> None:
        """Let a hello be answered without anything in between."""
        socket = self.sockets[who]
        self.read(socket)
        self.hand_over(socket)
        self.hear(socket, 1_000)

    def connected(self, pick: int) -> Socket | None:
        """Return one of the sockets, if there is one."""
        sockets = list(self.sockets.values())
        return sockets[pick % len(sockets)] if sockets else None

    def says(self, socket: Socket, **frame: Any) -> None:
        self.perform(socket, socket.session.receive(json.dumps(frame), 0.0))

    def perform(self, socket: Socket, effects: list[Effect]) -> None:
        """Execute effects as the gateway does; SQL is asked now, and answers in a later rule."""
        for effect in effects:
            match effect:
                case Send(frame):
                    socket.wire.append(frame)
                    self.sent[socket.who].add(json.loads(frame).get("seq", 0))
                case Join() | Fetch():
                    assert socket.asked is None, "SQL is asked for one thing at a time"
                    socket.asked = effect
                case Acked(window_from, log_from, after, through):
                    user, device = socket.client.user_id, socket.client.device
                    self.acks.append(Ack(user, device, Acked(window_from, log_from, after, through)))
                case Change(op, ids, through):
                    self.change(socket.client.user_id, op, ids, through)
                case _:
                    raise AssertionError(f"nothing here closes a socket: {effect}")

    @rule(pick=picks)
    def sql_reads(self, pick: int) -> None:
        """Take the snapshot; later commits are not in it."""
        if socket := self.connected(pick):
            self.read(socket)

    def read(self, socket: Socket) -> None:
        if socket.asked is None or socket.answer is not None:
            return
        client, asked = socket.client, socket.asked
        at = socket.answer = self.world.snapshot(client.user_id, asked.after)
        if client.device is None or (isinstance(asked, Fetch) and not at.reset):
            return
        window_from, log_from = (
            (at.window[0].seq if at.window else at.head + 1, at.head)
            if at.window is not None
            else ((asked.after or 0) + 1, asked.after or 0)
        )
        after = None if isinstance(asked, Fetch) or at.reset == "ahead" else asked.after
        self.world.database.run(
            lambda connection: devices.joined(
                connection,
                [Joined(client.user_id, str(client.device), socket.id, after, window_from, log_from, None)],
                now=self.world.tick(),
            )
        )
        if isinstance(asked, Join) and after is not None:
            oracle = self.oracles[client.user_id]
            held, sent = self.held[socket.who], self.sent[socket.who]
            oracle.acked |= self.deliveries_of(client, {seq for seq in held if seq <= after})
            oracle.may_be_acked |= {seq for seq in sent if seq <= after}
        self.held[socket.who] = set()
        socket.resets += isinstance(asked, Fetch)

    @rule(pick=picks)
    def sql_answers(self, pick: int) -> None:
        """Give the session what was read."""
        if socket := self.connected(pick):
            self.hand_over(socket)

    def hand_over(self, socket: Socket) -> None:
        asked, answer = socket.asked, socket.answer
        if asked is None or answer is None:
            return
        socket.asked = socket.answer = None
        joins = isinstance(asked, Join) or answer.reset is not None
        self.perform(socket, (socket.session.joined if joins else socket.session.fetched)(answer))

    @rule(pick=picks)
    def sql_fails(self, pick: int) -> None:
        socket = self.connected(pick)
        if socket and isinstance(socket.asked, Fetch) and socket.answer is None:
            socket.asked = None
            socket.session.failed()

    @rule(pick=picks, count=st.integers(1, 30))
    def client_receives(self, pick: int, count: int) -> None:
        if socket := self.connected(pick):
            self.hear(socket, count)

    def hear(self, socket: Socket, count: int) -> None:
        for raw in socket.wire[:count]:
            frame = json.loads(raw)
            socket.client.receives(frame)
            if frame["op"] in ("item", "event") and socket.client.resets == socket.resets:
                self.held[socket.who].add(frame["seq"])
        del socket.wire[:count]

    @rule(pick=picks, back=st.integers(0, 3))
    def client_acks(self, pick: int, back: int) -> None:
        socket = self.connected(pick)
        if socket and socket.client.phase == "live" and socket.client.seq:
            seq = max(0, socket.client.seq - back)
            claim = self.deliveries_of(socket.client, {s for s in socket.client.got if s <= seq})
            self.claims.append((socket.client.user_id, claim))
            self.says(socket, op="ack", seq=seq)

    def deliveries_of(self, client: Client, seqs: set[int]) -> set[int]:
        """Return those of the seqs that are deliveries: a change of state is not one."""
        log = self.oracles[client.user_id].log
        return {seq for seq in seqs if log[seq - 1][1] is not None}

    @rule()
    def gateway_flushes(self) -> None:
        acks, self.acks, closed, self.closed = self.acks, [], self.closed, []
        self.database.run(lambda connection: devices.flush(connection, acks, closed, now=self.world.tick()))
        for user, claim in self.claims:
            self.oracles[user].acked |= claim
        self.claims.clear()

    @rule(pick=picks)
    def line_is_cut(self, pick: int) -> None:
        """Lose the frames on the wire; the gateway keeps sending until it notices."""
        if socket := self.connected(pick):
            del self.sockets[socket.who]
            socket.client.phase = "offline"
            socket.wire.clear()
            if socket.asked is None:
                self.ghosts.append(socket)

    @rule()
    def gateway_notices(self) -> None:
        for socket in self.ghosts:
            client = socket.client
            if client.device is not None:
                closed = Closed(client.user_id, client.device, socket.id, socket.session.sent)
                self.closed.append(closed)
            socket.session.close(1006, "")
        self.ghosts.clear()

    @rule(chance=st.integers(0, 2))
    def gateway_crashes(self, chance: int) -> None:
        """Now and then lose everything in memory: subscriptions, acks, closed sockets."""
        if chance:
            return
        for socket in self.sockets.values():
            socket.client.phase = "offline"
        self.sockets.clear()
        self.ghosts.clear()
        self.acks.clear()
        self.claims.clear()
        self.closed.clear()

    # ------------------------------------------------------------------ changes of state

    @rule(user=users, op=st.sampled_from([READ, UNREAD, ARCHIVED]), mask=st.integers(1, 255), pick=picks)
    def entries_change(self, user: str, op: str, mask: int, pick: int) -> None:
        """Change some of the newest entries, by a socket of the user if possible, else by HTTP."""
        entries = sorted((seq, id) for id, (seq, _) in self.oracles[user].now.entries.items())
        ids = [id for place, (_, id) in enumerate(entries[-8:]) if mask >> place & 1]
        word = {READ: "read", UNREAD: "unread", ARCHIVED: "archive"}[op]
        if ids and (chosen := self.live_socket(pick, user)):
            self.says(chosen, op=word, ids=ids)
        elif ids:
            self.change(user, op, ids, None)

    @rule(user=users, through=st.integers(0, 16), pick=picks)
    def everything_is_read(self, user: str, through: int, pick: int) -> None:
        if chosen := self.live_socket(pick, user):
            self.says(chosen, op="read", through=through)
        else:
            self.change(user, READ, None, through)

    def live_socket(self, pick: int, user: str) -> Socket | None:
        socket = self.connected(pick)
        live = socket and socket.session.phase is Phase.LIVE and socket.client.user_id == user
        return socket if live else None

    def change(self, user: str, op: str, ids: Any, through: int | None) -> None:
        oracle = self.oracles[user]
        expected = oracle.expects(op, ids, through)
        if through is not None:
            changed: Changed = self.world.read_through(user, through)
        else:
            changed = self.world._change(user, op, ids)
        if expected is None:
            assert not changed.entries, "nothing was to change"
            return
        oracle.changes(op, expected)
        assert changed.entries, "something was to change"
        assert (changed.entries[0].event, changed.entries[0].data) == (op, expected)
        assert (changed.seq, changed.unread) == (oracle.head, oracle.now.unread)
        assert changed.entries[0].unread == oracle.now.unread
        frame = frames.event(user, changed.entries[0])
        self.offer(user, changed.seq, frame)
        self.flight.append((user, changed.seq, frame))

    # ------------------------------------------------------------------ the end

    def teardown(self) -> None:
        self.settle()
        for user in USERS:
            self.visit_afresh(user)
        for who, socket in self.sockets.items():
            client = self.clients[who]
            assert socket.session.phase is Phase.LIVE
            assert client.phase == "live", f"{client.user_id} {client.device} is {client.phase}"
            assert client.seq == self.oracles[client.user_id].head, "not brought up to date"
            client.agrees()
        for user, oracle in self.oracles.items():
            self.store_agrees(user, oracle)
        assert self.world.violations() == []

    def settle(self) -> None:
        """Continue until nothing waits; messages still at the broker are lost."""
        self.dispatch(50)
        self.flight.clear()
        self.gateway_compares_heads()
        for _ in range(SETTLED):
            waiting = [who for who, socket in self.sockets.items() if socket.asked or socket.wire]
            if not waiting:
                break
            for who in waiting:
                self.goes_live(who)
            self.gateway_compares_heads()
        else:
            raise AssertionError("it never settles")
        for place in range(len(self.sockets)):
            self.client_acks(place, 0)
        self.gateway_notices()
        self.gateway_flushes()

    def visit_afresh(self, user: str) -> None:
        """Check that a new client gets the same state as the others."""
        who = len(self.clients)
        self.clients.append(Client(user, None, self.oracles[user], WINDOW))
        self.held[who], self.sent[who] = set(), set()
        self.connect(who, None)
        self.goes_live(who)

    def store_agrees(self, user: str, oracle: Oracle) -> None:
        """Check that a new read of the store equals the oracle."""
        assert [(e.event, e.id, e.data, e.unread) for e in self.world.log(user)] == [
            (*entry, view.unread) for entry, view in zip(oracle.log, oracle.views[1:], strict=True)
        ]
        at = self.world.snapshot(user)
        assert (at.head, at.unread, at.badges) == (oracle.head, oracle.now.unread, oracle.now.badges)
        items = self.world.page(user)
        assert {item.id: (item.seq, item.status) for item in items} == oracle.now.entries
        d = deliveries.c
        with self.database.read() as connection:
            delivered = connection.scalars(
                sa.select(d.seq).where(
                    d.user_id == user, sa.or_(d.delivered_at.is_not(None), READ_AT.is_not(None))
                )
            )
            found = set(delivered)
        assert oracle.delivered <= found, "acked or read, and not delivered"
        assert found <= oracle.delivered | oracle.may_be_acked, "delivered, and neither acked nor read"


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set limits so small that a short history exceeds them."""
    monkeypatch.setattr("models.store.snapshots.WINDOW", WINDOW)
    monkeypatch.setattr("notifier.core.log.MAX_BEHIND", MAX_BEHIND)
    monkeypatch.setattr("notifier.core.session.BUFFER_EVENTS", BUFFER)


@pytest.fixture
def quick_sqlite(tmp_path: Any) -> Iterator[Database]:
    """A SQLite file without waiting for the disk, since no power fails here."""
    engine = make_engine(f"sqlite:///{tmp_path / 'machine.db'}")
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
    migrate(engine)  # with the views that a purge reads
    database = Database(engine)
    yield database
    database.dispose()


def run(machine: type[Machine], examples: int, steps: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples * int(os.environ.get("NOTIFIER_EXAMPLES", "1")),
            stateful_step_count=steps,
            deadline=None,
            derandomize=bool(os.environ.get("CI")),
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.usefixtures("_small")
def test_any_interleaving_gives_every_client_the_state_of_a_new_read(quick_sqlite: Database) -> None:
    run(type("OnSqlite", (Machine,), {"database": quick_sqlite}), examples=25, steps=80)


@pytest.mark.usefixtures("_small")
def test_any_interleaving_gives_the_same_on_postgresql(postgres_database: Database) -> None:
    run(type("OnPostgres", (Machine,), {"database": postgres_database}), examples=3, steps=40)
