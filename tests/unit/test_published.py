"""Marks of publishing are written behind, and kept while the database is down; a wake-up has its time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from notifier.core.errors import DatabaseUnavailable
from tests.harness.waiting import until
from worker import published
from worker.published import PublishedMarks
from worker.tasks import _woken_at

AT = datetime(2026, 1, 2, tzinfo=UTC)


class Store:
    """A database that can be away."""

    def __init__(self) -> None:
        self.up = True
        self.written: list[dict[str, datetime]] = []

    def run(self, work: Callable[[Any], None]) -> None:
        if not self.up:
            raise DatabaseUnavailable("away")
        work(self)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    def write(connection: Store, moments: dict[str, datetime]) -> None:
        connection.written.append(moments)

    monkeypatch.setattr("worker.published.dispatch.published", write)
    monkeypatch.setattr(published, "PAUSE", 0.01)
    monkeypatch.setattr(published, "RETRY", 0.01)
    return Store()


def test_marks_are_written_a_moment_later(store: Store) -> None:
    marks = PublishedMarks(store)  # type: ignore[arg-type]
    marks.add(["a", "b"], AT)
    until(lambda: bool(store.written), 5, "they are written")
    assert store.written == [{"a": AT, "b": AT}]


def test_marks_wait_for_a_database_that_is_away(store: Store) -> None:
    store.up = False
    marks = PublishedMarks(store)  # type: ignore[arg-type]
    marks.add(["a"], AT)
    marks.flush()
    store.up = True
    marks.add(["b"], AT + timedelta(seconds=1))

    def all_of_them() -> dict[str, datetime]:
        return {id: at for one in store.written for id, at in one.items()}

    until(lambda: len(all_of_them()) == 2, 5, "both are written")
    assert all_of_them() == {"a": AT, "b": AT + timedelta(seconds=1)}


@pytest.mark.parametrize("nonsense", [None, 0, "soon", [], {}, 10**30, float("inf")])
def test_a_wake_up_without_a_time_or_with_nonsense_is_still_a_wake_up(nonsense: object) -> None:
    task = SimpleNamespace(request={"woken_at": nonsense})
    assert _woken_at(task) is None  # type: ignore[arg-type]


def test_a_wake_up_says_when_it_was_sent() -> None:
    task = SimpleNamespace(request={"woken_at": 1_767_312_000_000})
    assert _woken_at(task) == AT  # type: ignore[arg-type]
