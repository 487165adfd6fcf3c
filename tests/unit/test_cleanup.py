"""A sweep cleans up in small steps until nothing is left, then pauses for an hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifier.outbox.engine import Database, make_engine
from usecases import retention
from worker.cleanup import INTERVAL, Cleanup


def test_a_little_each_time_then_not_for_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [True, True, False, False]
    asked: list[bool] = []

    def forget(_database: Database, **_: object) -> bool:
        asked.append(left.pop(0))
        return asked[-1]

    monkeypatch.setattr(retention, "forget_sockets", forget)
    at = [0.0]
    database, tidy = Database(make_engine(f"sqlite:///{tmp_path}/notifier.db")), Cleanup(lambda: at[0])
    for _ in range(6):
        tidy(database)
    assert asked == [True, True, False]
    at[0] = INTERVAL
    tidy(database)
    assert len(asked) == 4
