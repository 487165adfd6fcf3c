"""Waking never blocks and never fails; concurrent callers share one wake-up; what fails is tried again."""

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


class ListWaker(Waker):
    """A waker whose broker is a list, and can be down or slow."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.connects = 0
        self.closes = 0
        self.away = threading.Event()
        self.away_for_bulk = threading.Event()
        self.breaks = threading.Event()  # the next send, once
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
        producer.sent.append((name, id))

    def _close(self, producer: Any) -> None:  # type: ignore[override]
        self.closes += producer is not None


@pytest.fixture(autouse=True)
def _no_long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake, "RETRY", 0.01)


@pytest.fixture
def waker() -> Iterator[ListWaker]:
    waker = ListWaker()
    yield waker
    waker.may_answer.set()
    waker.away.clear()
    waker.away_for_bulk.clear()
    assert waker.flush(SOON) or until(lambda: waker.flush(SOON), SOON, "everything is sent")


def test_a_wake_up_names_the_task_and_the_id(waker: ListWaker) -> None:
    waker.wake("a")
    assert waker.flush(SOON)
    waker.wake("b", bulk=True)
    assert waker.flush(SOON)
    assert waker.sent == [(SEND, "a"), (CHUNK, "b")]


def test_nothing_starts_before_the_first_wake_up() -> None:
    before = threading.active_count()
    waker = ListWaker()
    assert threading.active_count() == before
    assert waker.connects == 0
    assert waker.flush(0)


def test_a_broker_that_does_not_answer_blocks_no_caller(waker: ListWaker) -> None:
    waker.may_answer.clear()
    waker.wake("first")
    assert waker.asked.wait(SOON)
    begin = time.monotonic()
    for number in range(1_000):
        waker.wake(f"{number}")
        waker.wake(f"bulk {number}", bulk=True)
    assert time.monotonic() - begin < 1
    assert waker.sent == []


def test_callers_share_one_wake_up_while_one_is_under_way(waker: ListWaker) -> None:
    waker.may_answer.clear()
    waker.wake("first")
    assert waker.asked.wait(SOON)
    for number in range(100):
        waker.wake(f"{number}")
    waker.may_answer.set()
    assert waker.flush(SOON)
    assert waker.sent == [(SEND, "first"), (SEND, "99")]


def test_every_bulk_notification_has_a_wake_up_of_its_own(waker: ListWaker) -> None:
    waker.may_answer.clear()
    for number in range(5):
        waker.wake(f"{number}", bulk=True)
    waker.may_answer.set()
    assert waker.flush(SOON)
    assert sorted(waker.sent) == [(CHUNK, f"{number}") for number in range(5)]


def test_the_connection_is_kept(waker: ListWaker) -> None:
    for number in range(5):
        waker.wake(f"{number}")
        assert waker.flush(SOON)
    assert (waker.connects, waker.closes) == (1, 0)


def test_a_broker_that_was_away_gets_the_wake_up_when_it_is_back(waker: ListWaker) -> None:
    waker.away.set()
    waker.wake("a")
    until(lambda: waker.connects > 2, SOON, "it is tried again")
    assert not waker.flush(SOON), "nobody waits for a broker that is away"
    waker.away.clear()
    until(lambda: waker.sent, SOON, "it is sent")
    assert waker.sent == [(SEND, "a")]


def test_a_connection_that_broke_is_closed_and_made_again(waker: ListWaker) -> None:
    waker.wake("a")
    assert waker.flush(SOON)
    waker.away.set()
    waker.wake("b")
    until(lambda: waker.closes, SOON, "the broken connection is closed")
    waker.away.clear()
    until(lambda: len(waker.sent) == 2, SOON, "it is sent")
    assert waker.sent == [(SEND, "a"), (SEND, "b")]
    assert waker.connects >= 2


def test_a_kept_connection_that_broke_causes_no_pause(
    waker: ListWaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One node of a cluster died: the next one is used at once, and no outage is logged."""
    monkeypatch.setattr(wake, "RETRY", 10 * SOON)
    waker.wake("a")
    assert waker.flush(SOON)
    waker.breaks.set()
    waker.wake("b")
    assert waker.flush(SOON)
    assert waker.sent == [(SEND, "a"), (SEND, "b")]
    assert (waker.connects, waker.closes) == (2, 1)


def test_bulk_wake_ups_that_failed_half_way_are_all_tried_again(waker: ListWaker) -> None:
    waker.away_for_bulk.set()
    waker.wake("one")
    for number in range(3):
        waker.wake(f"{number}", bulk=True)
    until(lambda: waker.closes, SOON, "a send fails")
    waker.away_for_bulk.clear()
    until(lambda: {id for name, id in waker.sent if name == CHUNK} == {"0", "1", "2"}, SOON, "all are sent")
    assert (SEND, "one") in waker.sent


def test_what_waits_for_a_broker_is_bounded(waker: ListWaker) -> None:
    waker.may_answer.clear()
    waker.wake("first", bulk=True)
    assert waker.asked.wait(SOON)
    for number in range(MAX_BULK + 50):
        waker.wake(f"{number}", bulk=True)
    waker.away.set()
    waker.may_answer.set()
    until(lambda: waker.connects > 1, SOON, "it is tried again")
    with waker._changed:
        assert len(waker._bulk) <= MAX_BULK


def test_a_broker_outage_is_logged_once(waker: ListWaker, caplog: pytest.LogCaptureFixture) -> None:
    waker.away.set()
    waker.wake("a")
    until(lambda: waker.connects > 3, SOON, "it is tried again")
    waker.away.clear()
    until(lambda: waker.sent, SOON, "it is sent")
    assert waker.flush(SOON)
    assert caplog.text.count("wake-up failed") == 1
    assert caplog.text.count("the broker is back") == 1


def test_flush_gives_up_when_its_time_is_over(waker: ListWaker) -> None:
    waker.may_answer.clear()
    waker.wake("a")
    begin = time.monotonic()
    assert not waker.flush(0.05)
    assert time.monotonic() - begin < SOON / 2


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_sends_with_a_thread_of_its_own(waker: ListWaker) -> None:
    waker.wake("parent")
    assert waker.flush(SOON)
    child = os.fork()
    if child == 0:
        waker.wake("child")
        woken = waker.flush(SOON) and waker.sent[-1] == (SEND, "child")
        os._exit(0 if woken else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    waker.wake("parent again")
    assert waker.flush(SOON)
    assert waker.sent == [(SEND, "parent"), (SEND, "parent again")]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_in_the_middle_of_a_wake_up_leaves_the_child_no_lock_that_is_held(waker: ListWaker) -> None:
    with waker._changed:  # as another thread of the parent may
        child = os.fork()
        if child == 0:
            waker.wake("child")
            os._exit(0 if waker.flush(SOON) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_more_share_a_wake_up_the_longer_the_next_one_waits() -> None:
    pauses = [pause_after(shared) for shared in range(1_000)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[1], pauses[-1]) == (wake.PAUSE, wake.PAUSE, wake.PAUSE_MAX)


def test_a_lone_wake_up_goes_at_once_and_many_share_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake, "PAUSE", 0.2)
    waker = ListWaker()
    begun = time.monotonic()
    waker.wake("lone")
    until(lambda: waker.sent, SOON, "it is sent")
    assert time.monotonic() - begun < 0.15
    for number in range(100):
        waker.wake(f"busy {number}")
        time.sleep(0.001)
    assert waker.flush(SOON)
    assert waker.sent[-1] == (SEND, "busy 99"), "the last one is never left out"
    assert len(waker.sent) <= 4
