"""Each fault of the broker is logged once, whichever part meets it, and so is its end."""

from __future__ import annotations

import pytest

from notifier.broker.fault_log import FaultLog
from notifier.broker.faults import BLOCKED, FORBIDDEN, UNREACHABLE, Fault


@pytest.fixture
def faults() -> FaultLog:
    return FaultLog()


def test_a_fault_that_two_parts_meet_a_hundred_times_is_two_lines(
    faults: FaultLog, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        faults.begins("publish", Fault(BLOCKED, "an alarm", "free memory"))
        faults.begins("subscribe", Fault(BLOCKED, "an alarm", "free memory"))
    faults.ends("publish")
    faults.ends("subscribe")
    faults.ends("subscribe")
    assert caplog.messages == [
        "the broker fails: part=publish state=blocked detail=an alarm cure=free memory",
        "the broker works again: it was blocked",
    ]


def test_another_fault_is_another_line(faults: FaultLog, caplog: pytest.LogCaptureFixture) -> None:
    faults.begins("subscribe", Fault(UNREACHABLE, "refused"))
    faults.begins("subscribe", Fault(FORBIDDEN, "no read permission", "give it"))
    assert len(caplog.messages) == 2


def test_without_a_fault_nothing_is_logged(faults: FaultLog, caplog: pytest.LogCaptureFixture) -> None:
    faults.ends("publish")
    assert caplog.messages == []
