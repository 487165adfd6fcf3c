"""The pauses between attempts: bounded, growing, spread over the whole range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.backoff import Backoff, ceiling, equal_jitter, full_jitter

seconds = st.floats(0.001, 3_600)
attempts = st.integers(0, 100_000)
draws = st.floats(0, 1)


@given(attempts, seconds, seconds, draws)
def test_a_pause_is_never_longer_than_its_ceiling(n: int, first: float, longest: float, draw: float) -> None:
    pause = full_jitter(n, first, longest, lambda: draw)
    assert 0 <= pause <= ceiling(n, first, longest) <= longest


@given(attempts, seconds, seconds)
def test_ceilings_double_until_the_longest(n: int, first: float, longest: float) -> None:
    this, following = ceiling(n, first, longest), ceiling(n + 1, first, longest)
    assert following == pytest.approx(min(longest, 2 * this)) or n >= 63


@given(seconds, seconds)
def test_jitter_is_full(first: float, longest: float) -> None:
    """A pause can be anything from 0 to the ceiling, not only from its half."""
    assert full_jitter(3, first, longest, lambda: 0.0) == 0
    assert full_jitter(3, first, longest, lambda: 1.0) == ceiling(3, first, longest)


@given(st.integers(1, 200), draws)
def test_a_backoff_counts_failures_and_forgets_them(failures: int, draw: float) -> None:
    backoff = Backoff(0.1, 2.0, lambda: draw)
    told = [backoff.next_pause() for _ in range(failures)]
    assert told == [full_jitter(n, 0.1, 2.0, lambda: draw) for n in range(failures)]
    backoff.reset()
    assert backoff.next_pause() == told[0]


def test_one_pause_may_be_longer_than_usual() -> None:
    backoff = Backoff(1.0, 2.0, lambda: 1.0)
    told = [backoff.next_pause(longest=30) for _ in range(4)]
    assert told == [1, 2, 4, 8]
    assert backoff.next_pause() == 2


@given(attempts, seconds, seconds, draws)
def test_equal_jitter_keeps_half(n: int, first: float, longest: float, draw: float) -> None:
    most = ceiling(n, first, longest)
    assert most / 2 <= equal_jitter(n, first, longest, lambda: draw) <= most
