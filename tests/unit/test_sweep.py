"""A sweep checks once, and wakes no worker for a broadcast in progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.store.dispatch import Waiting
from notifier.core.errors import BrokerUnavailable
from notifier.outbox.engine import Database, make_engine
from worker.sweep import Sweep


class Dispatcher:
    """A dispatcher that says what waits, and counts drains."""

    def __init__(self, *looks: Waiting) -> None:
        self.looks = list(looks)
        self.drained = 0

    def waiting(self) -> Waiting:
        return self.looks.pop(0)

    def drain(self) -> int:
        self.drained += 1
        return 1


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("worker.cleanup.Cleanup.__call__", lambda *_: None)
    monkeypatch.setattr("worker.daily_rollup.DailyRollup.__call__", lambda *_: None)
    database = Database(make_engine(f"sqlite:///{tmp_path}/notifier.db"))

    def make(dispatcher: Dispatcher, wake: Any, **given: Any) -> Sweep:
        return Sweep(dispatcher, database, wake, 2.0, **given)  # type: ignore[arg-type]

    return make


NOTHING = Waiting(singles=False, bulk=None)


def bulk(id: str, position: int = 0) -> Waiting:
    return Waiting(singles=False, bulk=id, position=position)


def test_nothing_waits_and_nothing_is_done(sweep: Any) -> None:
    dispatcher, woken = Dispatcher(NOTHING, Waiting(singles=True, bulk=None)), []
    run = sweep(dispatcher, woken.append)
    assert run() == 2.0
    assert dispatcher.drained == 0
    run()
    assert (dispatcher.drained, woken) == (1, [])


def test_the_first_sweep_wakes_for_a_broadcast_and_a_later_one_only_without_progress(sweep: Any) -> None:
    woken: list[str] = []
    looks = [bulk("a", 1000), bulk("a", 2000), bulk("a", 2000), bulk("b"), NOTHING, bulk("c"), bulk("c")]
    run = sweep(Dispatcher(*looks), woken.append)
    told = []
    for _ in looks:
        run()
        told.append(len(woken))
    assert told == [1, 1, 2, 2, 2, 2, 3]
    assert woken == ["a", "a", "c"]


def test_a_wake_up_that_fails_is_left_to_the_next_sweep(sweep: Any) -> None:
    def wake(_id: str) -> None:
        raise BrokerUnavailable("no")

    run = sweep(Dispatcher(bulk("a"), bulk("a")), wake)
    assert (run(), run()) == (2.0, 2.0)


def test_a_sweep_leaves_what_waits_to_a_drain_that_runs(sweep: Any) -> None:
    dispatcher = Dispatcher(*[Waiting(singles=True, bulk=None)] * 3)
    running = [True, False, True]
    run = sweep(dispatcher, list[str]().append, draining=running.pop)
    run()
    assert dispatcher.drained == 0
    run()
    assert dispatcher.drained == 1
    run()
    assert dispatcher.drained == 1
