"""The daily rollup: store the sums of past days, so that `notifier_report_daily` need not count rows.

It reads in one transaction and writes in another, so that others do not wait for the counting; a change
between the two marks the day as dirty, and it is counted again.
"""

import time
from collections.abc import Callable
from functools import partial

from models.store import rollup
from notifier.outbox.engine import Database

REST = 4.0  # times the duration of a day's rollup: at most a fifth of the database's time


def roll_up_days(database: Database, *, rest: Callable[[float], object] = time.sleep) -> int:
    """Roll up every day that needs it, the newest first; return their number.

    Args:
        database: the database.
        rest: called with the seconds to pause between two days.

    Raises:
        DatabaseUnavailable: the finished days stay stored.
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
            break  # another process does it
        done += 1
        rest((time.monotonic() - began) * REST)
    return done
