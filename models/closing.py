"""Closing days: those that are over are summed, so that `report_daily` need not count them from the rows.

It reads in one transaction and writes in another, so nobody waits for the counting; what changes between the
two leaves a mark, and the day is counted again.
"""

import time
from collections.abc import Callable
from functools import partial

from models.engine import Database
from models.store import days

REST = 4.0  # times as long as a day took: what the database does for this is a fifth at most


def close_days(database: Database, *, rest: Callable[[float], object] = time.sleep) -> int:
    """Sum every day that wants it, once, the newest first; return how many were.

    Args:
        database: where.
        rest: called with seconds between two days.

    Raises:
        DatabaseUnavailable: it went away; what is done is done.
    """
    done = 0
    with database.read() as connection:
        wanting = days.wanting(connection)
    for day in wanting:
        began = time.monotonic()
        with database.read() as connection:
            sums = days.count(connection, day)
        if sums is None:
            continue
        if not database.run(partial(days.put, sums=sums)):
            break  # another one is at it
        done += 1
        rest((time.monotonic() - began) * REST)
    return done
