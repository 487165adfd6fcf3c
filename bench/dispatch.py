"""Measure a dispatch: a statement for 1, 20 and 200 single alerts on PostgreSQL, to known users.

`python -m bench.dispatch URL` on an empty database; prints medians and 95th percentiles in milliseconds.
"""

from __future__ import annotations

import statistics
import sys
import time

from models.store import at_once
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.types import now
from tests.harness.world import World, migrate

SIZES = {1: 600, 20: 300, 200: 60}  # alerts in a statement -> statements


def measure(database: Database, size: int, rounds: int) -> list[float]:
    """Return the seconds of each dispatch of `size` alerts, commit included."""
    world = World(database, now())
    users = [f"user-{number}" for number in range(size)]
    taken: list[float] = []
    for number in range(rounds + 20):
        for user in users:
            world.send(user)
        began = time.perf_counter()
        done = database.run_at_once(lambda c: at_once.dispatch_plain(c, limit=200, now=now()))
        if number >= 20:
            taken.append(time.perf_counter() - began)
        assert done is not None
        assert len(done.ids) == size
    return taken


def main(url: str) -> None:
    """Measure all sizes and print a table."""
    database = Database(make_engine(url))
    migrate(database.engine)
    print("| alerts | p50 | p95 |\n| --- | --- | --- |")
    for size, rounds in SIZES.items():
        taken = sorted(measure(database, size, rounds))
        middle, high = statistics.median(taken), taken[int(len(taken) * 0.95)]
        print(f"| {size} | {middle * 1000:.2f} ms | {high * 1000:.2f} ms |", flush=True)
    database.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
