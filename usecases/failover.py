"""Read after a failover: a reader that notices another timeline sets the new base, then reads."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from models.store import log_base
from notifier.core.errors import TimelineChanged
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import now as utc_now

T = TypeVar("T")


def read(database: Database, work: Callable[[Connection], T], clock: Callable[[], datetime] = utc_now) -> T:
    """Run `work` in a reading transaction; if it raises TimelineChanged, set a new base and run it again.

    Raises DatabaseUnavailable, also when the database is a replica.
    """
    try:
        with database.read() as connection:
            return work(connection)
    except TimelineChanged:
        with database.read() as connection:
            log_base.refuse_replica(connection)
        database.run(partial(log_base.begin, now=clock()))
    with database.read() as connection:
        return work(connection)
