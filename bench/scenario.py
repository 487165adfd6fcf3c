"""The parts of a scenario: its sides, sizes, metrics, and the function that measures one round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """A goal for our figure; only the bounds that are given count.

    Attributes:
        text: the goal in words.
        at_most, at_least: a bound on the figure itself.
        of_best: at most so many times the best peer's figure.
        of: at least so many times each named peer's figure.
    """

    text: str
    at_most: float | None = None
    at_least: float | None = None
    of_best: float | None = None
    of: Mapping[str, float] = field(default_factory=dict)

    def reached(self, ours: float, peers: Mapping[str, float]) -> bool | None:
        """Return whether it is reached; None when a peer it refers to was not measured."""
        if not peers if self.of_best is not None else not self.of.keys() <= peers.keys():
            return None
        return (
            (self.at_most is None or ours <= self.at_most)
            and (self.at_least is None or ours >= self.at_least)
            and (self.of_best is None or ours <= self.of_best * min(peers.values()))
            and all(ours >= times * peers[name] for name, times in self.of.items())
        )


def at_most(bound: float, unit: str) -> Goal:
    """Return a goal: not more than this."""
    return Goal(f"≤ {bound:g} {unit}".strip(), at_most=bound)


def at_least(bound: float, unit: str) -> Goal:
    """Return a goal: not less than this."""
    return Goal(f"≥ {bound:,g} {unit}".strip(), at_least=bound)


NOTHING = Goal("none", at_most=0)


@dataclass(frozen=True)
class Metric:
    """A figure that the report shows.

    Attributes:
        key: its name in the values.
        title: what it is, in words.
        unit: ms, s, /s, KB …
        less: whether less of it is better.
        goal: the goal, if there is one.
    """

    key: str
    title: str
    unit: str
    less: bool = True
    goal: Goal | None = None


@dataclass(frozen=True)
class Scenario:
    """A scenario.

    Attributes:
        name: what the command line calls it.
        title: the heading in the report.
        about: what is done and counted, in a paragraph.
        sides: what is measured, our side first.
        full, pilot: the sizes of a measurement, and of a short trial.
        metrics: what is shown; the plot shows the first.
        measure: measures one round: `measure(side, seed=…, **sizes)`, and `given=…` with `prepare`.
        prepare: made once for all rounds: `prepare(seed=…, **sizes)`.
    """

    name: str
    title: str
    about: str
    sides: Sequence[str]
    full: Mapping[str, Any]
    pilot: Mapping[str, Any]
    metrics: Sequence[Metric]
    measure: Callable[..., Values]
    prepare: Callable[..., AbstractContextManager[Any]] | None = field(default=None)
