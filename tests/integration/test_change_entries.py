"""A worker, a script or a request changes entries with the same use case."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from notifier.broker.message import Message
from notifier.core.errors import BrokerUnavailable, DatabaseUnavailable
from notifier.core.log import ARCHIVED, READ, UNREAD
from notifier.core.log_throttle import LogThrottle
from notifier.signals import change_unpublished, notification_read
from tests.harness.world import World
from usecases.change_entries import change_entries


class Outgoing:
    """A publisher that keeps its messages; `broken`: it cannot reach the broker."""

    def __init__(self, *, broken: bool = False) -> None:
        self.messages: list[Message] = []
        self.broken = broken

    def publish(self, messages: Sequence[Message]) -> None:
        if self.broken:
            raise BrokerUnavailable("away")
        self.messages += messages


def test_a_change_is_committed_and_published_as_the_logs_newest_entry(world: World) -> None:
    first, _ = world.arrive("u1", 2)
    outgoing = Outgoing()
    changed = change_entries(world.database, outgoing, "u1", READ, ids=[first])
    assert (changed.seq, changed.unread) == (3, 1) == world.head("u1")
    (message,) = outgoing.messages
    frame = orjson.loads(message.body)
    assert (message.user_id, message.seq) == ("u1", 3)
    assert (frame["event"], frame["data"], frame["unread"]) == ("inbox.read", {"ids": [first]}, 1)
    assert world.violations() == []


@pytest.mark.parametrize("op", [UNREAD, ARCHIVED])
def test_what_changes_nothing_publishes_nothing(world: World, op: str) -> None:
    outgoing = Outgoing()
    changed = change_entries(world.database, outgoing, "u1", op, ids=["01890a5d-ac96-774b-bcce-000000000001"])
    assert (changed.seq, changed.unread, outgoing.messages) == (0, 0, [])


def test_a_watermark_reads_all_up_to_it(world: World) -> None:
    world.arrive("u1", 3)
    outgoing = Outgoing()
    assert change_entries(world.database, outgoing, "u1", READ, through=2).unread == 1
    assert orjson.loads(outgoing.messages[0].body)["data"] == {"through": 2}


def test_only_a_read_is_signalled_as_one(world: World) -> None:
    (id,) = world.arrive("u1")
    heard: list[dict[str, Any]] = []

    def hear(_sender: object, **what: Any) -> None:
        heard.append(what)

    with notification_read.connected_to(hear):
        change_entries(world.database, Outgoing(), "u1", READ, ids=[id])
        change_entries(world.database, Outgoing(), "u1", UNREAD, ids=[id])
    assert heard == [{"user_id": "u1", "ids": [id], "through": None}]


def test_without_the_broker_the_change_is_kept_and_reported(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A new throttle: the run before may just have logged the same line.
    monkeypatch.setattr("usecases.change_entries.throttled", LogThrottle(logging.getLogger("changes")))
    (id,) = world.arrive("u1")
    told: list[dict[str, Any]] = []

    def hear(_sender: object, **what: Any) -> None:
        told.append(what)

    with change_unpublished.connected_to(hear):
        assert change_entries(world.database, Outgoing(broken=True), "u1", READ, ids=[id]).unread == 0
    assert told == [{"user_id": "u1", "seq": 2}]
    said = [record.message for record in caplog.records if record.name == "changes"]
    assert said == ["change not published, gateways will fetch it: user=u1 seq=2 error=away"]
    assert world.head("u1") == (2, 0)


def test_without_the_database_nothing_is_published(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_work: object) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(world.database, "run", away)
    outgoing = Outgoing()
    with pytest.raises(DatabaseUnavailable):
        change_entries(world.database, outgoing, "u1", READ, through=1)
    assert outgoing.messages == []
