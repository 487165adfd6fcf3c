"""Measure single alerts, POST to frame, during a purge and without one.

python -m bench purge
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.latency import load
from bench.load.apart import apart
from bench.million import Shop, fill
from bench.ours import running, target_of
from bench.run import alone
from bench.scenario import NOTHING, Metric, Scenario, Values, at_most
from bench.sides import OURS
from notifier.outbox.engine import Database, make_engine
from tests.harness.backends import Backend
from tests.harness.processes import REPO, clean_env

NEW = 1_000_000  # the first user without history
OLDER_THAN = "7d"  # nearly all of the three months that are filled in


@contextmanager
def purging(backend: Backend) -> Iterator[None]:
    """Run `notifier purge` until the end of the block."""
    with tempfile.TemporaryFile() as said:
        purge = subprocess.Popen(
            [sys.executable, "-m", "cli", "purge", "--older-than", OLDER_THAN],
            cwd=REPO, env=clean_env(backend.env), stdout=said, stderr=said,
        )  # fmt: skip
        try:
            time.sleep(2)  # it imports and starts
            yield
            assert purge.poll() is None, "the purge ended too early: fill in more"
        finally:
            purge.terminate()
            purge.wait(30)


def measure(name: str, *, seed: int, deliveries: int, rate: float, count: int, users: int) -> Values:  # noqa: ARG001
    """Fill in three months of history, then apply the same load twice."""
    sizes = {"rate": rate, "count": count, "users": users}
    with running("production", crowd=users) as site:
        database = Database(make_engine(site.backend.database_url))
        fill(database, Shop(deliveries, days=90, users=max(1, deliveries // 50), seed=seed))
        database.dispose()
        target = target_of(OURS, site)
        quiet = apart(load, target, **sizes, first=NEW)
        with purging(site.backend):
            beside = apart(load, target, **sizes, first=NEW + users)
    values: Values = {f"{key}_quiet": quiet[key] for key in ("frame_p50_ms", "frame_p99_ms")}
    values |= {f"{key}_beside": beside[key] for key in ("frame_p50_ms", "frame_p99_ms")}
    values["p99_ratio"] = round(beside["frame_p99_ms"] / quiet["frame_p99_ms"], 2)
    values["lost"] = quiet["lost"] + beside["lost"]
    return values


SCENARIO = Scenario(
    name="purge",
    title="Alerts beside a purge",
    about="Alerts at 50/s to 300 connected users, on a database with 200,000 old deliveries; first alone, "
    f"then while `notifier purge --older-than {OLDER_THAN}` deletes nearly all of these.",
    sides=(OURS,),
    full={"deliveries": 200_000, "rate": 50.0, "count": 1_000, "users": 300},
    pilot={"deliveries": 30_000, "rate": 50.0, "count": 200, "users": 50},
    metrics=(
        Metric("p99_ratio", "POST → frame, p99, with : without", "times", goal=at_most(1.5, "times")),
        Metric("frame_p99_ms_quiet", "p99 without a purge", "ms"),
        Metric("frame_p99_ms_beside", "p99 beside one", "ms"),
        Metric("frame_p50_ms_quiet", "p50 without", "ms"),
        Metric("frame_p50_ms_beside", "p50 beside one", "ms"),
        Metric("lost", "lost", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
