"""Turns: one at a time for each socket, in order, and a turn that waits holds up nobody."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event

from web.gateway.turns import KEPT, Turns, TurnState


class Socket:
    """Has turns, and counts them."""

    def __init__(self, turns: Turns, work: Callable[[Socket], None] = lambda _: None) -> None:
        self.turn_state = TurnState.IDLE
        self.turns, self.work = turns, work
        self.count = 0
        self.had = Event()

    def wake(self) -> None:
        self.turns.ready(self)

    def turn(self) -> None:
        self.count += 1
        self.work(self)
        self.had.set()


@pytest.fixture
def turns() -> Turns:
    return Turns()


def test_a_turn_comes_once_however_often_it_was_asked_for(turns: Turns) -> None:
    socket = Socket(turns)
    for _ in range(3):
        socket.wake()
    assert socket.had.wait(30)
    gevent.sleep(0)
    assert (socket.count, socket.turn_state) == (1, TurnState.IDLE)


def test_what_happens_during_a_turn_gives_another_one_after_it(turns: Turns) -> None:
    again = iter([True, True, False])
    running: list[int] = []

    def work(socket: Socket) -> None:
        running.append(1)
        assert len(running) == 1, "one turn at a time"
        if next(again):
            socket.wake()
            socket.wake()
        gevent.sleep(0)
        running.pop()

    socket = Socket(turns, work)
    socket.wake()
    while socket.count < 3:
        assert socket.had.wait(30)
        gevent.sleep(0)
    gevent.sleep(0.01)
    assert socket.count == 3


def test_turns_that_wait_hold_up_nobody(turns: Turns) -> None:
    """Not even as many as greenlets are kept: each has one for as long as it waits."""
    go_on = Event()
    waiting = [Socket(turns, lambda _: go_on.wait(60) and None) for _ in range(KEPT * 3)]
    for socket in waiting:
        socket.wake()
    quick = Socket(turns)
    quick.wake()
    assert quick.had.wait(30)
    assert not any(socket.had.is_set() for socket in waiting)
    go_on.set()
    assert all(socket.had.wait(30) for socket in waiting)
    gevent.sleep(0.01)
    assert len(turns._waiting) <= KEPT


def test_sockets_that_do_not_wait_share_one_greenlet(turns: Turns) -> None:
    greenlets = set()
    sockets = [Socket(turns, lambda _: greenlets.add(gevent.getcurrent())) for _ in range(500)]
    for socket in sockets:
        socket.wake()
    assert all(socket.had.wait(30) for socket in sockets)
    assert len(greenlets) <= 2


@pytest.mark.parametrize("failure", [ZeroDivisionError, gevent.Timeout])
def test_a_turn_that_fails_ends_nothing_else(
    turns: Turns, failure: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Socket) -> None:
        raise failure

    failing, other = Socket(turns, fail), Socket(turns)
    failing.wake()
    other.wake()
    assert other.had.wait(30)
    assert "a turn failed" in caplog.text
    failing.wake()
    gevent.sleep(0.01)
    assert failing.count == 2
