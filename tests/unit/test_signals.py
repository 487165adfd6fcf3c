"""A receiver that raises is logged and stops nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from blinker import NamedSignal

from notifier.signals import (
    client_connected,
    client_disconnected,
    emit,
    notification_accepted,
    notification_delivered,
    notification_dispatched,
    notification_read,
)

SIGNALS = [
    client_connected,
    client_disconnected,
    notification_accepted,
    notification_dispatched,
    notification_delivered,
    notification_read,
]


@pytest.fixture(params=SIGNALS, ids=lambda signal: signal.name)
def signal(request: pytest.FixtureRequest) -> Iterator[NamedSignal]:
    """Each signal; its receivers are removed afterwards."""
    with request.param.connected_to(lambda sender, **what: None):
        yield request.param


def test_a_receiver_gets_sender_and_arguments(signal: NamedSignal) -> None:
    heard: list[tuple[object, dict[str, Any]]] = []

    def receive(sender: object, **what: Any) -> None:
        heard.append((sender, what))

    with signal.connected_to(receive):
        emit(signal, "me", id="7", user_id="u1")
    assert heard == [("me", {"id": "7", "user_id": "u1"})]


def test_one_that_raises_is_logged_and_the_others_are_still_called(
    signal: NamedSignal, caplog: pytest.LogCaptureFixture
) -> None:
    heard = []

    def break_down(sender: object, **what: Any) -> None:
        raise RuntimeError("a receiver's own fault")

    def receive(sender: object, **what: Any) -> None:
        heard.append(what["id"])

    def receive_too(sender: object, **what: Any) -> None:
        heard.append(what["id"])

    with (
        signal.connected_to(receive),
        signal.connected_to(break_down),
        signal.connected_to(receive_too),
        caplog.at_level(logging.ERROR),
    ):
        emit(signal, "me", id="7")
    assert heard == ["7", "7"]
    assert f"a receiver of {signal.name} raised" in caplog.text
    assert "a receiver's own fault" in caplog.text


def test_a_receiver_with_the_wrong_arguments_harms_nothing(signal: NamedSignal) -> None:
    def outdated(sender: object) -> None:
        raise AssertionError("called after all")

    with signal.connected_to(outdated):
        emit(signal, "me", id="7")


def test_a_signal_without_receivers_is_allowed() -> None:
    for signal in SIGNALS:
        emit(signal, None, id="7")
