"""One change of a user at a time; further changes of that user wait, and other users do not."""

from __future__ import annotations

import threading
import time

import pytest

from notifier.core.errors import DatabaseLocked
from tests.harness.waiting import until
from web.one_at_a_time import OneAtATime


def test_changes_of_a_user_run_in_turn_and_others_in_parallel() -> None:
    turns, inside, most = OneAtATime(patience=10), [], []

    def change() -> None:
        with turns.turn("u1"):
            inside.append(1)
            most.append(len(inside))
            with turns.turn("u2"):
                time.sleep(0.005)
            inside.pop()

    threads = [threading.Thread(target=change) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [1] * 8
    assert not turns._turns, "nothing is kept of those who are gone"


def test_a_call_that_waits_too_long_is_refused() -> None:
    turns = OneAtATime(patience=0.05)
    with turns.turn("u1"):
        error: list[Exception] = []

        def late() -> None:
            try:
                with turns.turn("u1"):
                    pass
            except DatabaseLocked as exc:
                error.append(exc)

        thread = threading.Thread(target=late)
        thread.start()
        thread.join(10)
        assert len(error) == 1
    with turns.turn("u1"):
        pass


def test_the_number_of_waiting_calls_is_limited() -> None:
    turns, free = OneAtATime(max_waiting=2, patience=10), threading.Event()

    def change() -> None:
        with turns.turn("u1"):
            free.wait(10)

    threads = [threading.Thread(target=change) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: turns._turns["u1"].users == 3, 10, "one has its turn, two wait")
    with pytest.raises(DatabaseLocked), turns.turn("u1"):
        pass
    free.set()
    for thread in threads:
        thread.join(10)
