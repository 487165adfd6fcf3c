"""One socket's loop over the real store: what its device was sent is noted when it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from models.engine import Database
from models.tables import devices
from notifier.session import Principal
from notifier.settings import Settings
from tests.harness.world import World, real_time_world, settings
from web.gateway.acks import Acks
from web.gateway.connection import Connection
from web.gateway.presence import Presence
from web.gateway.wire import Gone

USER = "u1"


@dataclass
class FakeWire:
    """A client that says some frames, hears the answers, and leaves."""

    says: list[str]
    hears: list[dict[str, Any]] = field(default_factory=list)
    closed_with: int | None = None

    def read(self) -> Iterator[str]:
        while self.says:
            yield self.says.pop(0)

    def wait(self, seconds: float) -> None:
        raise Gone("left")

    def send(self, frames: Sequence[bytes]) -> None:
        self.hears += [json.loads(frame) for frame in frames]

    def wake(self) -> None: ...

    def close(self, code: int, reason: str) -> None:
        self.closed_with = code

    def release(self) -> None: ...


class FakeHub:
    """Everybody may come and go."""

    def join(self, user_id: str, socket: object) -> None: ...

    def leave(self, user_id: str, socket: object) -> None: ...


class FakeTokens:
    """A token is its user's id."""

    def verify(self, token: str) -> Principal:
        return Principal(token, float("inf"))


@dataclass
class FakeGateway:
    """What a socket's loop needs of a gateway, with the real acks and the real store."""

    database: Database
    acks: Acks
    presence: Presence
    id: str = "gateway"
    settings: Settings = field(default_factory=settings)
    hub: FakeHub = field(default_factory=FakeHub)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    joining: AbstractContextManager[None] = field(default_factory=nullcontext)


@pytest.fixture
def gateway(database: Database) -> FakeGateway:
    presence = Presence("gateway")
    return FakeGateway(database, Acks(database, presence), presence)


@pytest.fixture
def world(database: Database) -> World:
    return real_time_world(database)


def visit(gateway: FakeGateway, after: int | None, *says: dict[str, Any]) -> list[str]:
    """A device says hello and more, leaves, and the acks are flushed; returns the ops it heard."""
    hello = {"op": "hello", "token": USER, "after": after, "device": "phone"}
    wire = FakeWire([json.dumps(frame) for frame in (hello, *says)])
    Connection(gateway, wire, "a browser").run()  # type: ignore[arg-type]
    gateway.acks.flush()
    return [frame["op"] for frame in wire.hears]


def sent_seq(world: World) -> int | None:
    found: int | None = world.one(sa.select(devices.c.sent_seq)).sent_seq
    return found


def test_what_a_device_was_sent_is_noted_when_it_leaves(world: World, gateway: FakeGateway) -> None:
    world.arrive(USER, 2)
    assert visit(gateway, 0) == ["welcome", "event", "event", "live"]
    assert sent_seq(world) == 2


def test_a_device_that_was_sent_nothing_cannot_claim_what_came_later(
    world: World, gateway: FakeGateway
) -> None:
    assert visit(gateway, 0) == ["welcome", "live"]
    assert sent_seq(world) == 0
    world.arrive(USER, 3)
    visit(gateway, 3)
    assert world.delivered(USER) == []


def test_acks_and_the_next_hello_deliver(world: World, gateway: FakeGateway) -> None:
    world.arrive(USER, 3)
    visit(gateway, 0, {"op": "ack", "seq": 1})
    assert world.delivered(USER) == [1]
    visit(gateway, 2)
    assert world.delivered(USER) == [1, 2]
    visit(gateway, None, {"op": "ack", "seq": 3})
    assert world.delivered(USER) == [1, 2, 3]


def test_a_device_that_is_ahead_starts_afresh_and_delivers_nothing(
    world: World, gateway: FakeGateway
) -> None:
    world.arrive(USER, 2)
    visit(gateway, 0)
    assert visit(gateway, 9) == ["welcome", "reset", "item", "item", "live"]
    assert world.delivered(USER) == []
