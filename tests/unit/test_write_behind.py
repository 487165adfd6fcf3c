"""Write-behind: bounded pieces, the oldest first; nothing is lost while the database is away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import write_behind
from models.write_behind import WriteBehind
from notifier.core.errors import DatabaseUnavailable
from notifier.core.log_throttle import LogThrottle


class Store:
    """A database that can be down."""

    def __init__(self) -> None:
        self.up = True
        self.transactions: list[list[Any]] = []

    def run(self, work: Callable[[Any], Any]) -> Any:
        if not self.up:
            raise DatabaseUnavailable("away")
        return work(self)


def buffer(store: Store, **options: Any) -> WriteBehind[str, Any, None]:
    def write(connection: Store, values: Sequence[Any]) -> None:
        connection.transactions.append(list(values))

    return WriteBehind("things", store, write, **options)  # type: ignore[arg-type]


def test_it_writes_the_oldest_first_in_pieces() -> None:
    store = Store()
    things = buffer(store, piece=2)
    for number in range(5):
        things.add(str(number), number)
    assert things.flush()
    assert store.transactions == [[0, 1], [2, 3], [4]]
    assert things.flush()
    assert len(store.transactions) == 3, "nothing is left"


def test_a_second_flush_waits_for_the_first() -> None:
    """A gateway that stops flushes while its loop may be at it."""
    store = Store()
    writing, go_on = threading.Event(), threading.Event()

    def write(connection: Store, values: Sequence[Any]) -> None:
        writing.set()
        assert go_on.wait(30)
        connection.transactions.append(list(values))

    things: WriteBehind[str, Any, None] = WriteBehind("things", store, write)  # type: ignore[arg-type]
    things.add("a", 1)
    first = threading.Thread(target=things.flush)
    first.start()
    assert writing.wait(30)
    written: list[int] = []
    second = threading.Thread(target=lambda: written.append(things.flush() and len(store.transactions)))
    second.start()
    go_on.set()
    first.join(30)
    second.join(30)
    assert (written, store.transactions) == ([1], [[1]]), (
        "the second came back after the first, with no more to do"
    )


def test_a_piece_is_bounded_by_weight_and_a_heavy_value_goes_alone() -> None:
    store = Store()
    things = buffer(store, piece=10, weight=lambda value: value)
    for number, weight in enumerate((4, 5, 30, 3, 3)):
        things.add(str(number), weight)
    things.flush()
    assert store.transactions == [[4, 5], [30], [3, 3]]


def test_a_newer_value_takes_the_place_of_an_older_one_unless_they_merge() -> None:
    store = Store()
    plain, added = buffer(store), buffer(store, merge=lambda known, newer: known + newer)
    for things in (plain, added):
        things.add("a", 1)
        things.add("a", 2)
        things.flush()
    assert store.transactions == [[2], [3]]


def test_while_the_database_is_away_values_are_kept_in_their_order_and_merged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        write_behind, "throttled", LogThrottle(write_behind.log)
    )  # other tests have just logged the same
    store = Store()
    things = buffer(store, merge=lambda known, newer: known + newer)
    things.add("a", 1)
    store.up = False
    assert not things.flush()
    things.add("b", 10)
    things.add("a", 2)
    assert not things.flush()
    store.up = True
    assert things.flush()
    assert store.transactions == [[3, 10]]
    assert "things kept for later" in caplog.text


def test_a_piece_that_fails_for_another_reason_is_lost_alone(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()

    def write(connection: Store, values: Sequence[int]) -> None:
        if 1 in values:
            raise ValueError("one")
        connection.transactions.append(list(values))

    things: WriteBehind[str, int, None] = WriteBehind("things", store, write, piece=1)  # type: ignore[arg-type]
    for number in range(3):
        things.add(str(number), number)
    assert things.flush()
    assert store.transactions == [[0], [2]]
    assert "things lost: count=1" in caplog.text


def test_it_is_bounded_and_what_is_known_still_changes() -> None:
    store = Store()
    things = buffer(store, max_pending=2)
    for key in ("a", "b", "c"):
        things.add(key, 1)
    things.add("a", 2)
    things.flush()
    assert store.transactions == [[2, 1]]


def test_what_is_added_during_a_flush_waits_for_the_next() -> None:
    store = Store()

    def write(connection: Store, values: Sequence[int]) -> None:
        connection.transactions.append(list(values))
        things.add(str(len(connection.transactions)), 0)

    things: WriteBehind[str, int, None] = WriteBehind("things", store, write)  # type: ignore[arg-type]
    things.add("first", 1)
    things.flush()
    assert store.transactions == [[1]]
    assert len(things) == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abc"), st.integers(1, 9)),
        st.tuples(st.just("flush"), st.booleans(), st.just(0)),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_the_order_nothing_is_lost_or_written_twice(steps: list[tuple[str, Any, int]]) -> None:
    store, expected = Store(), 0
    things = buffer(store, merge=lambda known, newer: known + newer, piece=2)
    for kind, what, amount in steps:
        if kind == "add":
            things.add(what, amount)
            expected += amount
        else:
            store.up = what
            things.flush()
    store.up = True
    assert things.flush()
    assert sum(sum(values) for values in store.transactions) == expected
    assert all(len(values) <= 2 for values in store.transactions)
