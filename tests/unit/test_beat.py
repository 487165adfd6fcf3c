"""An outage of the broker is two lines in beat's log, whatever the number of ticks."""

from __future__ import annotations

import logging

import pytest
from celery import Celery
from celery.beat import Scheduler, SchedulingError

from worker.beat import QuietScheduler


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Its content is why the broker does not answer; empty: it does."""
    reasons: list[str] = []

    def apply_async(_self: Scheduler, _entry: object, **_: object) -> None:
        if reasons:
            raise SchedulingError(reasons[0])

    monkeypatch.setattr(Scheduler, "apply_async", apply_async)
    return reasons


def test_an_outage_is_said_once_and_so_is_its_end(away: list[str], caplog: pytest.LogCaptureFixture) -> None:
    scheduler = QuietScheduler(Celery("test", set_as_current=False), lazy=True)
    with caplog.at_level(logging.INFO):
        scheduler.apply_entry(object())
        away.append("[Errno 111] Connection refused")
        for _ in range(5):
            scheduler.apply_entry(object())
        away.clear()
        scheduler.apply_entry(object())
        scheduler.apply_entry(object())
    assert [record.getMessage() for record in caplog.records] == [
        "beat cannot reach the broker, nothing is swept until then: error=[Errno 111] Connection refused",
        "beat reaches the broker again",
    ]
    assert not any(record.exc_info for record in caplog.records)
