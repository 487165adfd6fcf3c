"""The short form, part of `make test`: one node and one gateway; `make cluster` runs all of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.cluster.__main__ import HEAD, order, row, verdict
from tests.cluster.campaign import PARTS, Death, campaign
from tests.cluster.stack import ClusterStack

SHORT = ("node 1", "web 2")  # the node at which the task queue was declared


@pytest.mark.acceptance
@pytest.mark.timeout(420)
def test_a_node_and_a_gateway_may_die(tmp_path: Path) -> None:
    deaths: list[Death] = []
    stack = ClusterStack(tmp_path / "stack")
    try:
        stack.start()
        outcome = asyncio.run(campaign(stack, SHORT, 900, deaths.append))
    finally:
        stack.stop()
    print("\n".join([HEAD, *map(row, deaths)]))
    assert outcome.clean, verdict(outcome)
    assert [death.part for death in deaths] == list(SHORT)
    assert all(death.accepted and death.delivered for death in deaths), "the traffic went on"


def test_every_part_is_killed_once_in_every_round() -> None:
    assert order(1, 7) == list(PARTS)
    assert [sorted(order(3, 7)[start : start + 6]) for start in (0, 6, 12)] == [sorted(PARTS)] * 3


def test_the_table_says_what_a_death_cost() -> None:
    assert row(Death("node 1", 3, 9, 1, [0.5, 1.25], 2, 0.125, 0)) == (
        "| node 1 | 3 | 9 | 1 | 2 | 1.25 s | 2.00 s | 0.12 s | 0 |"
    )
    assert "| 0 | - |" in row(Death("web 1", 3, 9, 0, [], 0.1, 0.1, 0))
