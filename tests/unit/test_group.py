"""Callers that come at the same time share one call of the work, and each gets its own answer."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from notifier.core.deadline import seconds_left, within
from notifier.core.errors import DatabaseTimeout
from notifier.core.group import Group
from tests.harness.waiting import until

SOON = 10.0


class Work:
    """Squares numbers slowly; fails for each negative one, and for a whole group with a zero."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.groups: list[list[int]] = []
        self.seconds = seconds
        self.running = 0

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.running += 1
        assert self.running == 1, "one group at a time"
        self.groups.append(list(numbers))
        time.sleep(self.seconds)
        self.running -= 1
        if 0 in numbers:
            raise ZeroDivisionError("the whole group")
        return [n * n if n > 0 else ValueError(str(n)) for n in numbers]


def test_a_single_caller_does_not_wait() -> None:
    work = Work()
    assert Group(work, max_items=10)(3) == 9
    assert work.groups == [[3]]


def test_callers_at_the_same_time_share_calls_and_get_their_own_answers() -> None:
    work = Work()
    group = Group(work, max_items=10)
    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(group, range(1, 201)))
    assert answers == [n * n for n in range(1, 201)]
    assert sorted(n for some in work.groups for n in some) == list(range(1, 201)), "each once"
    assert len(work.groups) < 100
    assert max(map(len, work.groups)) <= 10


def test_a_refused_one_is_refused_alone() -> None:
    group = Group(Work(), max_items=10)

    def outcome(number: int) -> object:
        try:
            return group(number)
        except ValueError as exc:
            return str(exc)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(outcome, [1, -2, 3, -4])) == [1, "-2", 9, "-4"]


def outcomes(group: Group[int, int], numbers: list[int]) -> dict[int, int | None]:
    def outcome(number: int) -> int | None:
        try:
            return group(number)
        except ZeroDivisionError:
            return None

    with ThreadPoolExecutor(8) as threads:
        return dict(zip(numbers, threads.map(outcome, numbers), strict=True))


def test_work_that_raises_is_done_for_each_alone() -> None:
    work = Work()
    numbers = [1, 2, 0, 3, 4, 5, 6, 7]
    assert outcomes(Group(work, max_items=8), numbers) == {n: n**2 or None for n in numbers}
    assert [0] in work.groups


def test_an_error_for_all_is_raised_for_all_and_not_tried_again() -> None:
    work = Work()
    numbers = [1, 2, 0, 3, 4, 5, 6, 7]
    answers = outcomes(Group(work, max_items=3, hopeless=ZeroDivisionError), numbers)
    assert sorted(n for some in work.groups for n in some) == sorted(numbers)
    for some in work.groups:
        for number in some:
            assert answers[number] == (None if 0 in some else number**2)


class Held:
    """Work that continues when the test says so."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(numbers))
        self.begun.set()
        assert self.go_on.wait(SOON)
        return [n * n for n in numbers]


def come_in_turn(
    group: Group[int, int], pool: ThreadPoolExecutor, numbers: Sequence[int]
) -> list[Future[object]]:
    """Start callers one after the other, while the work is held."""
    calls = []
    for waiting, number in enumerate(numbers, 1):
        calls.append(pool.submit(interruptible, group, number))
        until(lambda waiting=waiting: len(group._waiting) == waiting, SOON, "it waits")  # type: ignore[misc]
    return calls


def interruptible(group: Group[int, int], number: int) -> object:
    try:
        return group(number)
    except Interrupt:
        return Interrupt


def test_those_who_come_first_go_first() -> None:
    work = Held()
    group = Group(work, max_items=2)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(interruptible, group, 1)
        assert work.begun.wait(SOON)
        rest = come_in_turn(group, pool, [2, 3, 4, 5])
        work.go_on.set()
        assert [call.result(SOON) for call in (first, *rest)] == [1, 4, 9, 16, 25]
    assert work.groups == [[1], [2, 3], [4, 5]]


class Interrupt(BaseException):
    """Raised inside a waiting caller, like gevent's Timeout."""


def test_an_interrupted_caller_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    group = Group(Work(0.001), max_items=2)
    real_wait = threading.Event.wait

    def wait(self: threading.Event, timeout: float | None = None) -> bool:
        if timeout is None and threading.current_thread().name.startswith("weak") and rng.random() < 0.5:
            real_wait(self, rng.uniform(0, 0.004))
            raise Interrupt
        return real_wait(self, timeout)

    monkeypatch.setattr(threading.Event, "wait", wait)
    answers: dict[int, object] = {}

    def call(number: int) -> None:
        try:
            answers[number] = group(number)
        except Interrupt:
            answers[number] = Interrupt

    threads = [
        threading.Thread(target=call, args=(n,), name=f"{'weak' if n % 2 else 'strong'} {n}", daemon=True)
        for n in range(1, 301)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert len(answers) == 300, "somebody still waits"
    assert all(answers[n] == n * n for n in range(2, 301, 2))
    assert group(5) == 25


class Interrupted(Held):
    """Interrupts the leader of its second group."""

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        answers = super().__call__(numbers)
        if len(self.groups) == 2:
            raise Interrupt
        return answers


def test_when_the_leader_is_interrupted_the_next_one_does_it_again() -> None:
    work = Interrupted()
    group = Group(work, max_items=3)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(interruptible, group, 1)
        assert work.begun.wait(SOON)
        rest = come_in_turn(group, pool, [2, 3, 4])
        work.go_on.set()
        assert [call.result(SOON) for call in (first, *rest)] == [1, Interrupt, 9, 16]
    assert work.groups == [[1], [2, 3, 4], [3, 4]]


# ---------------------------------------------------------------------- the deadline belongs to the call


class Hang:
    """Work that takes until its caller's deadline, as with a database that hangs."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.calls += 1
        time.sleep(seconds_left())
        raise DatabaseTimeout


def test_a_call_that_waits_and_then_leads_ends_within_its_own_time() -> None:
    group = Group(Hang(), max_items=1, hopeless=DatabaseTimeout, timeout=0.5)
    took: list[float] = []

    def call(number: int) -> None:
        begun = time.monotonic()
        with pytest.raises(DatabaseTimeout):
            group(number)
        took.append(time.monotonic() - begun)

    with ThreadPoolExecutor(6) as threads:
        for number in range(6):
            threads.submit(call, number)
            time.sleep(0.05)
    assert len(took) == 6
    assert max(took) < 0.8, "not its own time once more as a leader"


def test_a_call_with_little_time_left_does_not_lead_others() -> None:
    """Its deadline would end the work of callers with more time."""
    first, go_on = threading.Event(), threading.Event()
    groups: list[list[int]] = []

    def work(numbers: Sequence[int]) -> list[int | Exception]:
        groups.append(list(numbers))
        if not first.is_set():
            first.set()
            assert go_on.wait(SOON)
        return list(numbers)

    group: Group[int, int] = Group(work, max_items=10, timeout=SOON)

    def late() -> int:
        with within(0.3):
            return group(2)

    with ThreadPoolExecutor(3) as threads:
        leader = threads.submit(group, 1)
        assert first.wait(SOON)
        hurried = threads.submit(late)
        until(lambda: len(group._waiting) == 1, SOON, "the second waits")
        patient = threads.submit(group, 3)
        until(lambda: len(group._waiting) == 2, SOON, "the third waits")
        go_on.set()
        assert leader.result(SOON) == 1
        with pytest.raises(DatabaseTimeout):
            hurried.result(SOON)
        assert patient.result(SOON) == 3
    assert groups == [[1], [3]]
