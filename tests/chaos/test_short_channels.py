"""The short form of the crash matrix of channels, part of `make test`; `make chaos` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.channels import catalogue, matrix, plan, table
from tests.harness.backends import open_backend

SHORT = {
    "production": ["die after 250, before sent", "mail server dies after DATA, before 250"],
    "embedded": ["die before sending is committed"],
}


@pytest.mark.acceptance
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", SHORT)
def test_nobody_is_bothered_twice_and_nobody_is_forgotten(kind: str, tmp_path: Path) -> None:
    faults = [(name, 700 + number) for number, name in enumerate(SHORT[kind])]
    with open_backend(kind, tmp_path / "var") as backend:
        outcomes = list(matrix(kind, faults, tmp_path / "stack", backend))
    print(table(outcomes))
    assert all(outcome.accepted for outcome in outcomes)
    assert not [note for outcome in outcomes for note in outcome.notes]


def test_the_plan_has_every_fault_once_before_any_twice() -> None:
    for kind, short in SHORT.items():
        names = catalogue(kind)
        planned = [name for name, _ in plan(kind, 2 * len(names), 7, [])]
        assert sorted(planned[: len(names)]) == sorted(names) == sorted(planned[len(names) :])
        assert set(short) <= names.keys()
