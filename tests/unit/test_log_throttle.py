"""Of many lines of one kind, one in a second is logged, with the number of those left out."""

from __future__ import annotations

import logging

import pytest

from notifier.core.log_throttle import LogThrottle


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> LogThrottle:
    return LogThrottle(logging.getLogger("test.throttle"), clock=clock)


def test_the_first_line_of_a_kind_comes_at_once_and_the_next_says_how_many_did_not(
    throttle: LogThrottle, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(900):
        clock.now = 100 + number / 1_000
        throttle.warning("put off: notification=%s", number)
    assert caplog.messages == ["put off: notification=0"]
    clock.now = 101.0
    throttle.warning("put off: notification=%s", "last")
    assert caplog.messages[1:] == ["put off: notification=last (and 899 more like this)"]
    clock.now = 102.5
    throttle.warning("put off: notification=%s", "alone")
    assert caplog.messages[2:] == ["put off: notification=alone"]


def test_kinds_do_not_hide_each_other(throttle: LogThrottle, caplog: pytest.LogCaptureFixture) -> None:
    throttle.warning("one: %s", 1)
    throttle.error("another: %s", 1)
    throttle.warning("one: %s", 2)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "one: 1"),
        ("ERROR", "another: 1"),
    ]
