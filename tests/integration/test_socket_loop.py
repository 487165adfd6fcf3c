"""A socket's loop over the real store: what its device was sent is stored when it closes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from gevent.event import Event

from models.tables import devices
from notifier.core.session import Principal
from notifier.outbox.engine import Database
from notifier.settings import Settings
from tests.harness.world import World, real_time_world, settings
from web.gateway.acks import Acks
from web.gateway.connection import ClientConnection
from web.gateway.deadlines import NEVER, Deadlines
from web.gateway.presence import Presence
from web.gateway.snapshots import NEAR, SnapshotLoader, SnapshotRequest
from web.gateway.transport import PeerClosed
from web.gateway.turns import Turns
from web.one_at_a_time import OneAtATime

USER = "u1"


@dataclass
class FakeTransport:
    """A transport whose client sends frames, gets answers, and disconnects."""

    says: list[str]
    hears: list[dict[str, Any]] = field(default_factory=list)
    closed_with: int | None = None
    blocked: bool = False
    gone: bool = False
    due: float = NEVER
    wake: Callable[[], None] | None = None

    def start(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    def check(self) -> None:
        if not self.says:
            raise PeerClosed("left")

    def read(self) -> Iterator[str]:
        while self.says:
            yield self.says.pop(0)

    def watch(self) -> None:
        assert self.wake is not None
        self.wake()

    def send(self, frames: Iterable[bytes]) -> None:
        self.hears += [json.loads(frame) for frame in frames]

    def close(self, code: int, reason: str) -> None:
        self.closed_with = code

    def release(self) -> None:
        self.gone = True

    def expire(self) -> None: ...


class FakeHub:
    """A hub that accepts every socket."""

    def join(self, user_id: str, socket: object) -> None: ...

    def leave(self, user_id: str, socket: object) -> None: ...


@dataclass
class FakeServices:
    """The gateway's services that a socket's loop needs, with the real acks and store."""

    database: Database
    acks: Acks
    presence: Presence
    gateway: str = "gateway"
    settings: Settings = field(default_factory=settings)
    hub: FakeHub = field(default_factory=FakeHub)
    snapshots: SnapshotLoader = field(init=False)
    changes: OneAtATime = field(default_factory=OneAtATime)
    turns: Turns = field(default_factory=Turns)
    deadlines: Deadlines = field(default_factory=Deadlines)

    def __post_init__(self) -> None:
        self.snapshots = SnapshotLoader(self.database)

    def verify(self, token: str) -> Principal:
        """A token is its user's id."""
        return Principal(token, float("inf"))


@pytest.fixture
def gateway(database: Database) -> FakeServices:
    presence = Presence(database, "gateway")
    return FakeServices(database, Acks(database, presence), presence)


@pytest.fixture
def world(database: Database) -> World:
    return real_time_world(database)


def serve(gateway: FakeServices, transport: FakeTransport, *, closing: bool = False) -> None:
    """Serve a socket until nothing is left of it."""
    ended = Event()
    connection = ClientConnection(
        gateway, transport, "a browser", ended=lambda _: ended.set()  # type: ignore[arg-type]
    )  # fmt: skip
    if closing:
        connection.ask_to_close(1012, "1.0")
    connection.start()
    assert ended.wait(60)


def visit(gateway: FakeServices, after: int | None, *says: dict[str, Any]) -> list[str]:
    """Connect a device that sends frames, close it and flush the acks; return the ops that it got."""
    hello = {"op": "hello", "token": USER, "after": after, "device": "phone"}
    wire = FakeTransport([json.dumps(frame) for frame in (hello, *says)])
    serve(gateway, wire)
    gateway.acks.flush()
    return [frame["op"] for frame in wire.hears]


def sent_seq(world: World) -> int | None:
    found: int | None = world.one(sa.select(devices.c.sent_seq)).sent_seq
    return found


def test_what_a_device_was_sent_is_noted_when_it_leaves(world: World, gateway: FakeServices) -> None:
    world.arrive(USER, 2)
    assert visit(gateway, 0) == ["welcome", "event", "event", "live"]
    assert sent_seq(world) == 2


def test_a_device_that_was_sent_nothing_cannot_claim_what_came_later(
    world: World, gateway: FakeServices
) -> None:
    assert visit(gateway, 0) == ["welcome", "live"]
    assert sent_seq(world) == 0
    world.arrive(USER, 3)
    visit(gateway, 3)
    assert world.delivered(USER) == []


def test_acks_and_the_next_hello_deliver(world: World, gateway: FakeServices) -> None:
    world.arrive(USER, 3)
    visit(gateway, 0, {"op": "ack", "seq": 1})
    assert world.delivered(USER) == [1]
    visit(gateway, 2)
    assert world.delivered(USER) == [1, 2]
    visit(gateway, None, {"op": "ack", "seq": 3})
    assert world.delivered(USER) == [1, 2, 3]


def test_a_device_that_is_ahead_is_reset_and_delivers_nothing(world: World, gateway: FakeServices) -> None:
    world.arrive(USER, 2)
    visit(gateway, 0)
    assert visit(gateway, 9) == ["welcome", "reset", "item", "item", "live"]
    assert world.delivered(USER) == []


def test_frames_before_the_servers_close_are_handled(gateway: FakeServices) -> None:
    said = [{"op": "hello", "token": USER, "after": 0}, {"op": "ping"}, {"op": "ping"}]
    transport = FakeTransport([json.dumps(frame) for frame in said])
    serve(gateway, transport, closing=True)
    assert [frame["op"] for frame in transport.hears] == ["welcome", "live", "pong", "pong"]
    assert transport.closed_with == 1012


def request(user: str, after: int | None, device: str | None = "phone", socket: str = "s") -> SnapshotRequest:
    return SnapshotRequest(user, device, socket, after, False, None)


def test_hellos_that_share_a_transaction_get_what_each_alone_would(world: World) -> None:
    """A group's answers equal those of one call for each, near, far, without a position, ahead and unknown."""
    world.arrive("u1", 5)
    far = world.arrive("u2", NEAR + 50)
    world.arrive("u3", 2)
    world.read("u3", world.log("u3")[0].id or "")
    world.badge("u3", "tasks", 4)
    world.dispatch()
    world.read("u2", *far[:3])
    requests = [
        request("u1", 2), request("u1", None, "tablet"), request("u2", 0), request("u2", NEAR), request("u3", 0),
        request("u3", 99), request("nobody", None), request("nobody", 0), request("u1", 5, None),
    ]  # fmt: skip
    joins = SnapshotLoader(world.database)
    together = joins._join(requests)
    alone = [world.snapshot(one.user_id, one.after) for one in requests]
    assert together[2] is None, "too far behind to be answered with the others"
    assert [a for a in together if a] == [a for place, a in enumerate(alone) if place != 2]
    assert joins(request("u2", 0)) == alone[2]
    assert len(alone[2].log or ()) == NEAR + 51
    with world.database.read() as connection:
        found = {tuple(row) for row in connection.execute(sa.select(devices.c.user_id, devices.c.device))}
    assert found == {("u1", "phone"), ("u1", "tablet"), ("u2", "phone"), ("u3", "phone"), ("nobody", "phone")}


def test_two_sockets_of_one_device_in_one_group_are_handled_in_order(
    world: World, gateway: FakeServices
) -> None:
    world.arrive(USER, 4)
    visit(gateway, 0)
    SnapshotLoader(world.database)._join(
        [request(USER, 2, socket="first"), request(USER, 4, socket="second")]
    )
    assert world.delivered(USER) == [1, 2, 3, 4]
    row = world.one(sa.select(devices))
    assert (row.socket, row.acked_seq, row.log_from) == ("second", 4, 4)
