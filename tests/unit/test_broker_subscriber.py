"""The subscriber's rules, over a fake link: what it asks for and when, and how long callers wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from notifier.broker import Message, Subscription
from notifier.broker.subscription import MAX_BODY, Receiver, Request
from tests.harness.waiting import until
from tests.unit.broker_by_hand import SECONDS, FakeLink, Room


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    yield room
    if room.thread.ident is None:
        room.start()
    room.stop()


def waits(subscription: Subscription, timeout: float) -> tuple[bool, float]:
    before = time.monotonic()
    return subscription.wait(timeout), time.monotonic() - before


def test_without_a_connection_no_caller_waits(room: Room) -> None:
    confirmed, seconds = waits(room.subscriber.subscribe("ada"), 5)
    assert not confirmed
    assert seconds < 0.5


def test_with_a_connection_a_caller_waits_for_the_confirm_up_to_its_timeout(room: Room) -> None:
    room.broker.confirming = False
    subscriber = room.start_connected()
    subscription = subscriber.subscribe("ada")
    confirmed, seconds = waits(subscription, 0.1)
    assert not confirmed
    assert seconds >= 0.1
    room.broker.do(room.broker.links[-1].confirm)
    assert subscription.wait(SECONDS)


def test_a_lost_connection_ends_all_waits_at_once(room: Room) -> None:
    room.broker.confirming = False
    subscription = room.start_connected().subscribe("ada")
    until(lambda: room.broker.calls == ["+ada"], SECONDS, "asked")
    room.broker.down = True
    threading.Timer(0.05, room.broker.cut).start()
    confirmed, seconds = waits(subscription, SECONDS)
    assert not confirmed
    assert seconds < 2
    assert not room.subscriber.connected
    assert waits(subscription, SECONDS)[1] < 0.5


def test_after_a_reconnect_all_is_asked_for_again_and_then_reported_once(room: Room) -> None:
    subscriber = room.start_connected()
    a, b = subscriber.subscribe("ada"), subscriber.subscribe("bob")
    assert a.wait(SECONDS)
    assert b.wait(SECONDS)
    assert room.recoveries == []
    room.broker.calls.clear()
    room.broker.cut()
    until(lambda: room.recoveries, SECONDS, "recovered")
    assert room.recoveries == [["+ada,bob"]]
    assert a.confirmed
    assert b.confirmed
    assert room.broker.links[0].closed
    assert subscriber.stats.reconnects == 1


def test_recovery_is_reported_only_after_the_last_confirm(room: Room) -> None:
    subscriber = room.start_connected()
    room.broker.limit = 2
    subscriptions = [subscriber.subscribe(f"u{n}") for n in range(5)]
    assert all(s.wait(SECONDS) for s in subscriptions)
    room.broker.confirming = False
    room.broker.cut()
    until(lambda: len(room.broker.links) == 2 and room.broker.links[-1].open, SECONDS, "asked again")
    for confirmed in (2, 4):
        room.broker.do(room.broker.links[-1].confirm)
        until(lambda: room.broker.links[-1].open, SECONDS, "the next ones")
        for _ in range(2):  # the loop has run once
            room.broker.do(lambda: None)
        assert sum(s.confirmed for s in subscriptions) == confirmed
        assert room.recoveries == []
    room.broker.do(room.broker.links[-1].confirm)
    until(lambda: len(room.recoveries) == 1, SECONDS, "recovered")


def test_a_first_connect_is_reported_only_when_a_caller_did_not_wait_for_it(room: Room) -> None:
    room.subscriber.subscribe("ada")
    room.start_connected()
    until(lambda: room.recoveries == [["+ada"]], SECONDS, "told")


def test_an_on_recovered_that_raises_stops_nothing(room: Room) -> None:
    room.subscriber._on_recovered = lambda: 1 / 0
    room.subscriber.subscribe("ada")
    assert room.start_connected().subscribe("bob").wait(SECONDS)
    until(lambda: room.subscriber.stats.failures == 1, SECONDS, "it raised")
    assert room.subscriber.subscribe("last").wait(SECONDS)


def test_leaving_before_anything_was_asked_asks_for_nothing(room: Room) -> None:
    room.subscriber.subscribe("ada")
    room.subscriber.unsubscribe("ada")
    assert room.start_connected().subscribe("last").wait(SECONDS)
    assert room.broker.calls == ["+last"]


def test_a_return_before_the_confirm_waits_for_that_confirm(room: Room) -> None:
    room.broker.confirming = False
    subscriber = room.start_connected()
    first = subscriber.subscribe("ada")
    until(lambda: room.broker.calls, SECONDS, "asked")

    def leave_and_return() -> None:  # in the loop, so that it handles both together
        subscriber.unsubscribe("ada")
        returned.append(subscriber.subscribe("ada"))

    returned: list[Subscription] = []
    room.broker.do(leave_and_return)
    (second,) = returned
    assert second is not first
    assert not first.wait(0)
    assert not second.wait(0.05)
    room.broker.do(room.broker.links[-1].confirm)
    assert second.wait(SECONDS)
    assert room.broker.calls == ["+ada"]


def test_a_confirm_of_what_was_left_confirms_nothing_new(room: Room) -> None:
    room.broker.confirming = False
    subscriber = room.start_connected()
    subscriber.subscribe("ada")
    until(lambda: room.broker.calls == ["+ada"], SECONDS, "asked")
    subscriber.unsubscribe("ada")
    until(lambda: room.broker.calls == ["+ada", "-ada"], SECONDS, "left")
    again = subscriber.subscribe("ada")
    until(lambda: len(room.broker.calls) == 3, SECONDS, "asked again")
    room.broker.do(lambda: room.broker.links[-1].confirm(1))
    assert not again.wait(0.05)
    room.broker.do(room.broker.links[-1].confirm)
    assert again.wait(SECONDS)


def test_attempts_to_reconnect_back_off(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifier.broker.subscriber.BACKOFF_FIRST", 0.02)
    monkeypatch.setattr("notifier.broker.subscriber.BACKOFF_LAST", 0.08)
    room.broker.down = True
    room.start()
    started = time.monotonic()
    until(lambda: room.broker.attempts >= 6, SECONDS, "six attempts")
    assert time.monotonic() - started >= (0.02 + 0.04 + 0.08 + 0.08 + 0.08) / 2


def test_a_connection_that_fails_at_once_does_not_spin(room: Room) -> None:
    def refuse(requests: list[Request]) -> None:
        raise ConnectionResetError("no queues for you")

    room.subscriber.subscribe("ada")
    links = room.broker.open

    def opener(receiver: Receiver) -> FakeLink:
        link = links(receiver)
        link.subscribe = refuse  # type: ignore[method-assign]
        return link

    room.subscriber._opener = opener
    room.start()
    until(lambda: room.broker.attempts >= 3, SECONDS, "three attempts")
    attempts = room.broker.attempts
    assert attempts <= 4
    assert room.recoveries == []


@pytest.mark.parametrize("seq", [None, 0, -1, 1.0, True, "1", [1], 1 << 63])
def test_an_invalid_seq_is_rejected(room: Room, seq: object) -> None:
    room.subscriber.accept("ada", seq, b"{}")
    assert (room.heard, room.subscriber.stats.rejected) == ([], 1)


@pytest.mark.parametrize(
    "body", [None, b"", "", 5, {}, b"x" * (MAX_BODY + 1), "é" * (MAX_BODY // 2) + "x", "\ud800", b"\xff"]
)
def test_an_invalid_body_is_rejected(room: Room, body: object) -> None:
    room.subscriber.accept("ada", 1, body)
    assert (room.heard, room.subscriber.stats.rejected) == ([], 1)


def test_a_text_body_is_taken_as_utf8(room: Room) -> None:
    room.subscriber.accept("ada", 1, "é")
    assert room.heard == [Message("ada", 1, "é".encode())]
