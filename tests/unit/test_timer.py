"""The timer runs chores on monotonic time, and an exception of one does not stop it."""

from __future__ import annotations

import logging
import threading

import pytest

from notifier.core.errors import DatabaseUnavailable
from worker import timer
from worker.timer import Timer

SOON = 5.0


class Chore:
    """Counts its runs, and raises the exceptions in `raises`, one in each run."""

    def __init__(self, pause: float = 0.0, *raises: Exception) -> None:
        self.runs = threading.Semaphore(0)
        self.pause = pause
        self.raises = list(raises)

    def __call__(self) -> float:
        self.runs.release()
        if self.raises:
            raise self.raises.pop(0)
        return self.pause

    def ran(self, times: int) -> bool:
        return all(self.runs.acquire(timeout=SOON) for _ in range(times))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timer, "RETRY", 0.001)


def test_each_chore_is_due_at_once_and_then_when_it_says() -> None:
    often, once = Chore(0.001), Chore(3600.0)
    running = Timer([often, once])
    running.start()
    assert often.ran(5)
    assert once.ran(1)
    running.stop()
    assert not once.runs.acquire(blocking=False)


def test_a_chore_that_raises_is_tried_again_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    bad, good = Chore(0.001, ValueError("no"), KeyError("no")), Chore(0.001)
    running = Timer([bad, good])
    running.start()
    assert bad.ran(4)
    assert good.ran(4)
    running.stop()
    failed = [record for record in caplog.records if record.exc_info]
    assert len(failed) == 2


def test_a_database_outage_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    chore = Chore(0.001, *[DatabaseUnavailable("the database does not answer")] * 5)
    running = Timer([chore])
    with caplog.at_level(logging.INFO):
        running.start()
        assert chore.ran(8)
        running.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "no sweeps until the database answers: error=the database does not answer",
        "the database answers: sweeping again",
    ]


def test_stop_waits_for_the_chore_under_way_and_begins_no_other() -> None:
    entered, leave, other = threading.Event(), threading.Event(), Chore()

    def slow() -> float:
        entered.set()
        leave.wait(SOON)
        return 0.0

    running = Timer([slow, other])
    running.start()
    assert entered.wait(SOON)
    running.stop(0.01)  # it does not wait without a limit
    leave.set()
    running.start()  # as after the broker's return
    assert other.ran(3)
    running.stop()
    running.stop()  # a second time changes nothing


def test_a_timer_that_was_never_started_stops() -> None:
    Timer([]).stop()
