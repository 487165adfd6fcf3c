"""A sliding window limits a name within any minute, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.errors import OverLimit
from web import limits
from web.guesses import GuessLimit
from web.limits import WINDOW, SlidingWindow


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_calls_up_to_the_limit_are_allowed() -> None:
    window = SlidingWindow(3, Clock())
    assert [window.take("a") for _ in range(4)] == [True, True, True, False]
    assert window.take("b")


def test_what_the_minute_before_used_counts_by_its_share() -> None:
    clock = Clock()
    window = SlidingWindow(4, clock)
    assert all(window.take("a") for _ in range(4))
    clock.now = WINDOW * 1.5
    assert window.left("a") == 2
    assert [window.take("a") for _ in range(3)] == [True, True, False]
    clock.now = WINDOW * 3
    assert window.left("a") == 4


@given(st.lists(st.floats(0, 20), min_size=1, max_size=60), st.integers(1, 8))
def test_a_caller_that_waits_as_told_is_allowed(pauses: list[float], limit: int) -> None:
    clock = Clock()
    window = SlidingWindow(limit, clock)
    for pause in pauses:
        clock.now += pause
        if not window.take("a"):
            for _ in range(3):  # never told to wait longer than a window
                clock.now += window.wait("a")
                if window.left("a"):
                    break
            assert window.take("a")


@given(st.lists(st.floats(0, 3), min_size=1, max_size=300), st.integers(1, 8))
def test_no_two_windows_hold_more_than_two_limits(pauses: list[float], limit: int) -> None:
    clock, taken = Clock(), []
    window = SlidingWindow(limit, clock)
    for pause in pauses:
        clock.now += pause
        if window.take("a"):
            taken.append(clock.now)
    for start in taken:
        assert sum(start <= at < start + WINDOW for at in taken) <= 2 * limit


def test_names_are_forgotten_before_memory_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_NAMES", 10)
    window = SlidingWindow(1, Clock())
    for number in range(100):
        assert window.take(str(number))
    assert len(window._counts) == 10
    assert not window.take("99")


def test_wrong_credentials_of_one_address_are_limited() -> None:
    guesses = GuessLimit(3)
    guesses.right("192.0.2.1", "known")
    for _ in range(3):
        guesses.check("192.0.2.1")
        guesses.wrong("192.0.2.1")
    for secret in (None, "another that is right"):
        with pytest.raises(OverLimit):
            guesses.check("192.0.2.1", secret)
    guesses.check("192.0.2.1", "known")
    guesses.check("192.0.2.2", "known")


def test_a_whole_ipv6_site_is_one_address() -> None:
    guesses = GuessLimit(1)
    guesses.wrong("2001:db8::1")
    with pytest.raises(OverLimit):
        guesses.check("2001:db8::ffff")
    guesses.check("2001:db8:0:1::1")
