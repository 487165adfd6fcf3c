"""Accept, dispatch and read a page on large and on small tables: does the cost grow?

python -m bench growth
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

from bench.run import alone
from bench.scenario import Metric, Scenario, Values, at_most
from bench.sides import OURS
from bench.sql import filled, heads
from models.store import at_once, pages
from notifier.core.draft import Draft, draft
from notifier.core.log import Status
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from notifier.send import Sender

BATCH = 50  # alerts accepted before each dispatch
PAGE = 20
WARM = 2  # batches, not counted

Given = dict[str, Database]


@contextmanager
def prepare(*, seed: int, few: int, many: int, batches: int) -> Iterator[Given]:  # noqa: ARG001
    """Make and fill both databases."""
    with filled(few, seed) as small, filled(many, seed) as big:
        yield {"few": small, "many": big}


def measure(name: str, *, seed: int, few: int, many: int, batches: int, given: Given) -> Values:  # noqa: ARG001
    """Do the same work on both in turn; return medians and ratios."""
    users = {size: sorted(heads(database, PAGE)) for size, database in given.items()}
    times: dict[tuple[str, str], list[float]] = {}
    rng = random.Random(seed)
    for number in range(WARM + batches):
        for size, database in given.items():
            chosen = rng.choices(users[size], k=BATCH)
            for what, took in _batch(database, chosen):
                if number >= WARM:
                    times.setdefault((what, size), []).append(took)
    values: Values = {f"{what}_{size}_ms": round(median(t) * 1000, 3) for (what, size), t in times.items()}
    for what in ("accept", "dispatch", "page"):
        values[f"{what}_ratio"] = round(values[f"{what}_many_ms"] / values[f"{what}_few_ms"], 3)
    return values


def _batch(database: Database, users: list[str]) -> Iterator[tuple[str, float]]:
    """Accept an alert for each user, dispatch all, read each one's first page; return what each step took."""
    sender = Sender(database, Silent())
    for user in users:
        yield "accept", timed(partial(sender.send, _alert(user)))
    yield "dispatch", timed(partial(_dispatch, database))
    for user in users:
        yield "page", timed(partial(_page, database, user))


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Silent:
    """A waker that wakes no worker: the benchmark dispatches by itself."""

    def wake(self, id: str, *, bulk: bool = False) -> None:
        """Do nothing."""


def _alert(user: str) -> Draft:
    data = {"title": "Order Shipped", "message": "On its way.", "type": "info"}
    return draft(user_ids=[user], event="alert", data=data, id=None)


def _dispatch(database: Database) -> None:
    done = database.run_at_once(lambda c: at_once.dispatch_plain(c, limit=BATCH, now=now()))
    assert done is not None
    assert len(done.entries) == BATCH


def _page(database: Database, user: str) -> None:
    with database.read() as connection:
        pages.page(connection, user, Status.ALL, PAGE, None)


SCENARIO = Scenario(
    name="growth",
    title="Cost as the tables grow",
    about="The same work on a PostgreSQL database with 10,000 deliveries and on one with 1,000,000, in "
    "turn: accept an alert and commit, dispatch 50 of them in one statement, read a page of 20. "
    "Medians, and what the larger one takes in proportion to the smaller one.",
    sides=(OURS,),
    full={"few": 10_000, "many": 1_000_000, "batches": 40},
    pilot={"few": 5_000, "many": 20_000, "batches": 3},
    metrics=(
        Metric("accept_ratio", "accept, 1,000,000 : 10,000", "times", goal=at_most(1.2, "times")),
        Metric("dispatch_ratio", "dispatch of 50", "times", goal=at_most(1.2, "times")),
        Metric("page_ratio", "inbox page of 20", "times", goal=at_most(1.2, "times")),
        Metric("accept_many_ms", "accept at 1,000,000", "ms"),
        Metric("dispatch_many_ms", "dispatch of 50 at 1,000,000", "ms"),
        Metric("page_many_ms", "page at 1,000,000", "ms"),
    ),
    measure=measure,
    prepare=prepare,
)


if __name__ == "__main__":
    alone(SCENARIO)
