"""A migration beside a running site is tried again when it loses a lock, and only then."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.config import Config
from sqlalchemy.exc import OperationalError

from models import migrate


class Failure(Exception):
    """An error of the driver with a SQLSTATE."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """SQLSTATEs with which the next upgrades fail."""
    failing: list[str] = []

    def upgrade(*_: Any) -> None:
        if failing:
            raise OperationalError("ALTER TABLE", {}, Failure(failing.pop(0)))

    monkeypatch.setattr("models.migrate.command.upgrade", upgrade)
    monkeypatch.setattr("models.migrate.RETRY", 0.001)
    return failing


@pytest.mark.parametrize("state", ["40P01", "55P03"])
def test_a_deadlock_or_a_lock_that_was_not_free_is_tried_again(states: list[str], state: str) -> None:
    states += [state, state]
    migrate._run(Config())
    assert states == []


def test_it_gives_up_after_some_attempts(states: list[str]) -> None:
    states += ["40P01"] * (migrate.ATTEMPTS + 3)
    with pytest.raises(OperationalError):
        migrate._run(Config())
    assert len(states) == 3


def test_another_error_is_not_tried_again(states: list[str]) -> None:
    states += ["08006", "08006"]
    with pytest.raises(OperationalError):
        migrate._run(Config())
    assert len(states) == 1
