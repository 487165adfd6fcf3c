"""A call has one deadline, however many waits and transactions it consists of."""

from __future__ import annotations

import threading
import time

import pytest

from notifier.core.deadline import NEVER, seconds_left, within


def test_without_a_deadline_there_is_no_limit() -> None:
    assert seconds_left() == NEVER


def test_an_inner_deadline_never_extends_the_outer_one() -> None:
    with within(5):
        with within(60):
            assert seconds_left() <= 5
        with within(1):
            assert seconds_left() <= 1
        assert 4 < seconds_left() <= 5
    assert seconds_left() == NEVER


def test_a_deadline_that_has_passed_leaves_nothing() -> None:
    with within(0):
        time.sleep(0.001)
        assert seconds_left() == 0


def test_it_belongs_to_the_thread_that_set_it() -> None:
    seen: list[float] = []
    with within(5):
        thread = threading.Thread(target=lambda: seen.append(seconds_left()))
        thread.start()
        thread.join()
    assert seen == [NEVER]


def test_it_is_removed_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), within(5):
        raise ZeroDivisionError
    assert seconds_left() == NEVER
