"""The short form of the crash matrix, part of `make test`; `make chaos` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import matrix, plan
from tests.chaos.faults import CATALOGUE
from tests.chaos.report import table
from tests.chaos.run import Outcome
from tests.chaos.sabotage import SABOTAGES, SHOWN_BY

SHORT = {
    "production": ["die after commit, before publish", "kill PostgreSQL", "kill pool child"],
    "embedded": ["kill web and worker"],
}


@pytest.mark.acceptance
@pytest.mark.timeout(420)
@pytest.mark.parametrize("kind", SHORT)
def test_nothing_is_lost_doubled_or_out_of_order(kind: str, tmp_path: Path) -> None:
    faults = [(name, 900 + number) for number, name in enumerate(SHORT[kind])]
    outcomes = list(matrix(kind, faults, tmp_path / "stack"))
    print(table(outcomes))
    assert all(outcome.accepted for outcome in outcomes)
    assert not [note for outcome in outcomes for note in outcome.notes]


def test_the_plan_has_every_fault_once_before_any_twice() -> None:
    for kind, faults in CATALOGUE.items():
        planned = [name for name, _ in plan(kind, 2 * len(faults), 7, [])]
        assert sorted(planned[: len(faults)]) == sorted(faults) == sorted(planned[len(faults) :])


def test_every_sabotage_has_a_fault_that_shows_it() -> None:
    assert SHOWN_BY.keys() == SABOTAGES.keys()
    assert set(SHOWN_BY.values()) <= CATALOGUE["production"].keys()


def test_the_plan_follows_the_seed() -> None:
    assert list(plan("production", 9, 1, [])) == list(plan("production", 9, 1, []))
    assert list(plan("production", 9, 1, [])) != list(plan("production", 9, 2, []))


def test_the_table_counts_each_kind_of_breach() -> None:
    bad, good = (
        Outcome("kill web", 1, accepted=10, recovery=1.0, latest=0.5, log_lines=3),
        Outcome("kill web", 2, accepted=5, recovery=3.0),
    )
    for kind in ("lost", "lost", "doubled", "order", "invented", "audit"):
        bad.breach(kind, "note")
    assert not bad.clean
    assert good.clean
    row = table([bad, good]).splitlines()[2]
    assert row == "| kill web | 2 | 15 | 2 | 1 | 1 | 1 | 1 | 3.00 | 3.00 | 0.50 | 3 |"
