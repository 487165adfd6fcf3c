"""Turns: runs each socket's work in one of a few greenlets, only while there is work.

A greenlet for each socket costs 8 KB, however little it does. Here a socket that is idle has none: what
happens to it (bytes, an event, a deadline) puts it in the queue, and a greenlet of the pool takes its turn.
A turn may wait, for SQL or for the broker: the others then go on in another greenlet. So one greenlet is
enough while nothing waits, and there are never more than there are sockets with work.
"""

import logging
from collections import deque
from enum import Enum, auto
from typing import Protocol

import gevent
from greenlet import getcurrent, greenlet

log = logging.getLogger(__name__)

KEPT = 64  # greenlets that wait for work at most; the others end
TURNS_AT_ONCE = 50  # turns that a greenlet takes before the event loop looks at the sockets again


class TurnState(Enum):
    """Where a socket is in the queue."""

    IDLE = auto()
    QUEUED = auto()
    RUNNING = auto()
    RUNNING_AGAIN = auto()  # something has happened meanwhile: it is queued when this turn ends


class Turn(Protocol):
    """What has turns.

    Attributes:
        turn_state: kept by Turns; IDLE at first.
    """

    turn_state: TurnState

    def turn(self) -> None:
        """Do what is to be done now. Never called twice at the same time."""


class Turns:
    """The queue of those that have something to do, and the greenlets that take their turns."""

    def __init__(self) -> None:
        self._queue: deque[Turn] = deque()
        self._waiting: list[greenlet] = []
        self._started = False  # a greenlet will be started by the event loop

    def ready(self, one: Turn) -> None:
        """Let `one` have a turn soon; while it has one, another one after it. Never blocks."""
        if one.turn_state is TurnState.IDLE:
            one.turn_state = TurnState.QUEUED
            self._queue.append(one)
            self._start()
        elif one.turn_state is TurnState.RUNNING:
            one.turn_state = TurnState.RUNNING_AGAIN

    def _start(self) -> None:
        if not self._started:
            self._started = True
            gevent.get_hub().loop.run_callback(self._go_on)

    def _go_on(self) -> None:
        """Switch to a greenlet of the pool; called by the event loop."""
        self._started = False
        if self._queue:
            (self._waiting.pop() if self._waiting else greenlet(self._work, gevent.get_hub())).switch()

    def _work(self) -> None:
        me = getcurrent()
        while True:
            for _ in range(TURNS_AT_ONCE):
                if not self._queue:
                    break
                one = self._queue.popleft()
                if self._queue:
                    self._start()  # if this turn waits, another greenlet goes on
                self._take(one)
                del one  # or a greenlet that waits for work would keep the last socket it served
            if self._queue:
                self._start()
            if len(self._waiting) >= KEPT:
                return
            self._waiting.append(me)
            gevent.get_hub().switch()

    def _take(self, one: Turn) -> None:
        one.turn_state = TurnState.RUNNING
        try:
            one.turn()
        except Exception:
            log.exception("a turn failed: socket=%r", one)
        if one.turn_state is TurnState.RUNNING_AGAIN:
            one.turn_state = TurnState.QUEUED
            self._queue.append(one)
        else:
            one.turn_state = TurnState.IDLE
