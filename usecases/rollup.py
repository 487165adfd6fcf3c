"""The daily rollup: sum the days that are over, so that `notifier_report_daily` need not count their rows.

It reads in one transaction and writes in another, so nobody waits for the counting; what changes between the
two leaves a mark, and the day is counted again.
"""

import time
from collections.abc import Callable
from functools import partial

from models.store import rollup
from notifier.outbox.engine import Database

REST = 4.0  # times as long as a day took: what the database does for this is a fifth at most


def roll_up_days(database: Database, *, rest: Callable[[float], object] = time.sleep) -> int:
    """Sum every day that wants it, once, the newest first; return how many were.

    Args:
        database: where.
        rest: called with seconds between two days.

    Raises:
        DatabaseUnavailable: it went away; what is done is done.
    """
    done = 0
    with database.read() as connection:
        wanting = rollup.wanting(connection)
    for day in wanting:
        began = time.monotonic()
        with database.read() as connection:
            sums = rollup.count(connection, day)
        if sums is None:
            continue
        if not database.run(partial(rollup.put, sums=sums)):
            break  # another one is at it
        done += 1
        rest((time.monotonic() - began) * REST)
    return done
