"""Turns: run each socket's work in one of a few greenlets, only while there is work.

A greenlet for each socket costs 8 KB, even when it is idle. Here an idle socket has none: bytes, an event or
a deadline put it into the queue, and a greenlet of the pool runs its turn. A turn may wait for SQL or for the
broker; the other sockets then continue in another greenlet. So one greenlet is enough while nothing waits,
and there are never more greenlets than sockets with work.
"""

import logging
import time
from collections import deque
from enum import Enum, auto
from typing import Protocol

import gevent
from greenlet import getcurrent, greenlet

log = logging.getLogger(__name__)

KEPT = 64  # greenlets that wait for work at most; the others end
AT_A_TIME = 0.005  # seconds of turns before the event loop checks the sockets again


class TurnState(Enum):
    """The state of a socket in the queue."""

    IDLE = auto()
    QUEUED = auto()
    RUNNING = auto()
    RUNNING_AGAIN = auto()  # there is new work: it is queued when this turn ends


class Turn(Protocol):
    """An object that has turns.

    Attributes:
        turn_state: kept by Turns; IDLE at first.
    """

    turn_state: TurnState

    def turn(self) -> None:
        """Do the present work. Never called twice at the same time."""


class Turns:
    """The queue of objects with work, and the greenlets that run their turns."""

    def __init__(self) -> None:
        self._queue: deque[Turn] = deque()
        self._waiting: list[greenlet] = []
        self._started = False  # a greenlet will be started by the event loop

    def ready(self, one: Turn) -> None:
        """Queue a turn of `one`; during its turn, another one after it. Never blocks."""
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
            until = time.monotonic() + AT_A_TIME
            while self._queue and time.monotonic() < until:
                one = self._queue.popleft()
                if self._queue:
                    self._start()  # if this turn waits, another greenlet continues
                self._take(one)
                del one  # otherwise a waiting greenlet would keep a reference to its last socket
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
        except (Exception, gevent.Timeout):
            log.exception("a turn failed: socket=%r", one)
        if one.turn_state is TurnState.RUNNING_AGAIN:
            one.turn_state = TurnState.QUEUED
            self._queue.append(one)
        else:
            one.turn_state = TurnState.IDLE
