"""Ringing never blocks and never fails; concurrent callers share one ring; what fails is tried again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from notifier import wake
from notifier.wake import CHUNK, MAX_BULK, SEND, Waker, pause_after
from tests.harness.waiting import until
from tests.harness.world import settings

SOON = 10.0  # seconds; a deadline, not a pause


class Bell(Waker):
    """A waker whose broker is a list, and can be away or slow."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []
        self.connects = 0
        self.closes = 0
        self.away = threading.Event()
        self.away_for_bulk = threading.Event()
        self.breaks = threading.Event()  # the next ring, once
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = threading.Event()
        super().__init__(settings())

    def _connect(self) -> Any:
        self.connects += 1
        self._answer()
        return self

    def _answer(self) -> None:
        self.asked.set()
        self.may_answer.wait(SOON)
        if self.away.is_set():
            raise ConnectionError("the broker is away")

    @staticmethod
    def _send(producer: Any, name: str, id: str) -> None:
        producer._answer()
        if producer.breaks.is_set():
            producer.breaks.clear()
            raise ConnectionError("the connection broke")
        if name == CHUNK and producer.away_for_bulk.is_set():
            raise ConnectionError("the broker is away")
        producer.rung.append((name, id))

    def _close(self, producer: Any) -> None:  # type: ignore[override]
        self.closes += producer is not None


@pytest.fixture(autouse=True)
def _no_long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake, "RETRY", 0.01)


@pytest.fixture
def bell() -> Iterator[Bell]:
    bell = Bell()
    yield bell
    bell.may_answer.set()
    bell.away.clear()
    bell.away_for_bulk.clear()
    assert bell.flush(SOON) or until(lambda: bell.flush(SOON), SOON, "everything is rung")


def test_a_ring_names_the_task_and_the_id(bell: Bell) -> None:
    bell.wake("a")
    assert bell.flush(SOON)
    bell.wake("b", bulk=True)
    assert bell.flush(SOON)
    assert bell.rung == [(SEND, "a"), (CHUNK, "b")]


def test_nothing_starts_before_the_first_ring() -> None:
    before = threading.active_count()
    bell = Bell()
    assert threading.active_count() == before
    assert bell.connects == 0
    assert bell.flush(0)


def test_a_broker_that_does_not_answer_holds_up_no_caller(bell: Bell) -> None:
    bell.may_answer.clear()
    bell.wake("first")
    assert bell.asked.wait(SOON)
    begin = time.monotonic()
    for number in range(1_000):
        bell.wake(f"{number}")
        bell.wake(f"bulk {number}", bulk=True)
    assert time.monotonic() - begin < 1
    assert bell.rung == []


def test_callers_share_one_ring_while_one_is_under_way(bell: Bell) -> None:
    bell.may_answer.clear()
    bell.wake("first")
    assert bell.asked.wait(SOON)
    for number in range(100):
        bell.wake(f"{number}")
    bell.may_answer.set()
    assert bell.flush(SOON)
    assert bell.rung == [(SEND, "first"), (SEND, "99")]


def test_every_bulk_notification_has_a_ring_of_its_own(bell: Bell) -> None:
    bell.may_answer.clear()
    for number in range(5):
        bell.wake(f"{number}", bulk=True)
    bell.may_answer.set()
    assert bell.flush(SOON)
    assert sorted(bell.rung) == [(CHUNK, f"{number}") for number in range(5)]


def test_the_connection_is_kept(bell: Bell) -> None:
    for number in range(5):
        bell.wake(f"{number}")
        assert bell.flush(SOON)
    assert (bell.connects, bell.closes) == (1, 0)


def test_a_broker_that_was_away_is_rung_when_it_is_back(bell: Bell) -> None:
    bell.away.set()
    bell.wake("a")
    until(lambda: bell.connects > 2, SOON, "it is tried again")
    assert not bell.flush(SOON), "nobody waits for a broker that is away"
    bell.away.clear()
    until(lambda: bell.rung, SOON, "it is rung")
    assert bell.rung == [(SEND, "a")]


def test_a_connection_that_broke_is_closed_and_made_anew(bell: Bell) -> None:
    bell.wake("a")
    assert bell.flush(SOON)
    bell.away.set()
    bell.wake("b")
    until(lambda: bell.closes, SOON, "the broken connection is closed")
    bell.away.clear()
    until(lambda: len(bell.rung) == 2, SOON, "it is rung")
    assert bell.rung == [(SEND, "a"), (SEND, "b")]
    assert bell.connects >= 2


def test_a_kept_connection_that_broke_costs_no_pause(bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    """One node of a cluster died: the next one is rung at once, and nobody is told of an outage."""
    monkeypatch.setattr(wake, "RETRY", 10 * SOON)
    bell.wake("a")
    assert bell.flush(SOON)
    bell.breaks.set()
    bell.wake("b")
    assert bell.flush(SOON)
    assert bell.rung == [(SEND, "a"), (SEND, "b")]
    assert (bell.connects, bell.closes) == (2, 1)


def test_bulk_rings_that_failed_half_way_are_all_tried_again(bell: Bell) -> None:
    bell.away_for_bulk.set()
    bell.wake("one")
    for number in range(3):
        bell.wake(f"{number}", bulk=True)
    until(lambda: bell.closes, SOON, "a ring fails")
    bell.away_for_bulk.clear()
    until(lambda: {id for name, id in bell.rung if name == CHUNK} == {"0", "1", "2"}, SOON, "all are rung")
    assert (SEND, "one") in bell.rung


def test_what_waits_for_a_broker_is_bounded(bell: Bell) -> None:
    bell.may_answer.clear()
    bell.wake("first", bulk=True)
    assert bell.asked.wait(SOON)
    for number in range(MAX_BULK + 50):
        bell.wake(f"{number}", bulk=True)
    bell.away.set()
    bell.may_answer.set()
    until(lambda: bell.connects > 1, SOON, "it is tried again")
    with bell._changed:
        assert len(bell._bulk) <= MAX_BULK


def test_a_broker_that_is_away_is_said_once(bell: Bell, caplog: pytest.LogCaptureFixture) -> None:
    bell.away.set()
    bell.wake("a")
    until(lambda: bell.connects > 3, SOON, "it is tried again")
    bell.away.clear()
    until(lambda: bell.rung, SOON, "it is rung")
    assert bell.flush(SOON)
    assert caplog.text.count("wake-up failed") == 1
    assert caplog.text.count("the broker is back") == 1


def test_flush_gives_up_when_its_time_is_over(bell: Bell) -> None:
    bell.may_answer.clear()
    bell.wake("a")
    begin = time.monotonic()
    assert not bell.flush(0.05)
    assert time.monotonic() - begin < SOON / 2


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_rings_with_a_thread_of_its_own(bell: Bell) -> None:
    bell.wake("parent")
    assert bell.flush(SOON)
    child = os.fork()
    if child == 0:
        bell.wake("child")
        rung = bell.flush(SOON) and bell.rung[-1] == (SEND, "child")
        os._exit(0 if rung else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    bell.wake("parent again")
    assert bell.flush(SOON)
    assert bell.rung == [(SEND, "parent"), (SEND, "parent again")]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_in_the_middle_of_a_ring_leaves_the_child_no_lock_that_is_held(bell: Bell) -> None:
    with bell._changed:  # as another thread of the parent may
        child = os.fork()
        if child == 0:
            bell.wake("child")
            os._exit(0 if bell.flush(SOON) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_more_share_a_ring_the_longer_the_next_one_waits() -> None:
    pauses = [pause_after(shared) for shared in range(1_000)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[1], pauses[-1]) == (wake.PAUSE, wake.PAUSE, wake.PAUSE_MAX)


def test_a_lone_ring_goes_at_once_and_many_share_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake, "PAUSE", 0.2)
    bell = Bell()
    begun = time.monotonic()
    bell.wake("lone")
    until(lambda: bell.rung, SOON, "it rings")
    assert time.monotonic() - begun < 0.15
    for number in range(100):
        bell.wake(f"busy {number}")
        time.sleep(0.001)
    assert bell.flush(SOON)
    assert bell.rung[-1] == (SEND, "busy 99"), "the last one is never left out"
    assert len(bell.rung) <= 4
