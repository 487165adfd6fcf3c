"""A self-pipe wakes a wait from another thread."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator

import pytest

from notifier.broker.self_pipe import SelfPipe


@pytest.fixture
def waker() -> Iterator[SelfPipe]:
    waker = SelfPipe()
    yield waker
    waker.close()


def woken(waker: SelfPipe, timeout: float = 0) -> bool:
    return bool(select.select([waker], [], [], timeout)[0])


def test_it_wakes_again_and_again(waker: SelfPipe) -> None:
    for _ in range(3):
        assert not woken(waker)
        waker.wake()
        assert woken(waker)
        waker.clear()


def test_many_wakes_are_one(waker: SelfPipe) -> None:
    for _ in range(1_000_000 // 100):
        waker.wake()
    waker.clear()
    assert not woken(waker)


def test_clearing_what_did_not_wake_does_not_block(waker: SelfPipe) -> None:
    waker.clear()
    assert not woken(waker)


def test_another_thread_can_wake(waker: SelfPipe) -> None:
    threading.Timer(0.01, waker.wake).start()
    assert woken(waker, 10)


def test_waking_after_close_does_nothing(waker: SelfPipe) -> None:
    waker.close()
    waker.wake()
