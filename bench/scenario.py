"""What a scenario is: a question, the sides it is asked of, sizes, and a measure that answers it once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True)
class Metric:
    """A figure that the report shows.

    Attributes:
        key: its name in the values.
        title: what it is, in words.
        unit: ms, s, /s, KB …
        less: whether less of it is better.
        goal: what it should be, in words; empty where there is no such goal.
        peers: whether the goal is about the other sides: the report gives the ratio in any case.
    """

    key: str
    title: str
    unit: str
    less: bool = True
    goal: str = ""


@dataclass(frozen=True)
class Scenario:
    """One question.

    Attributes:
        name: what the command line calls it.
        title: the heading in the report.
        about: what is done and counted, in a paragraph.
        sides: who is asked, our side first.
        full, pilot: the sizes of a measurement, and of a look whether it runs.
        metrics: what is shown; the first is the plot's.
        measure: answers once: `measure(side, seed=…, **sizes)`, and `given=…` with `prepare`.
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
