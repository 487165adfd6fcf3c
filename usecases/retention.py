"""Retention: delete what is older than a given time, a few hundred rows at a time, without leaving gaps.

A purge always deletes the beginning of a user's log, up to `inboxes.purged_seq`.
One transaction adds the deliveries to the history that `notifier_report_daily` reads, marks those that are
still unread as read by a watermark (so that the log explains the lower count: docs/adr/0011), and deletes
them, each notification with its last delivery. Socket records and rejected messages are deleted last.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.store import purge, rejected, sockets
from notifier.outbox import clock
from notifier.outbox.engine import Database

USERS = 500  # users of one step
SOCKETS_KEPT = timedelta(days=30)  # socket records of one step, when nothing else is purged
SOCKETS = 500  # deleted by one transaction at most
ROWS = 15  # entries deleted by one transaction at most, so that others do not wait for it long


@dataclass(frozen=True, slots=True)
class Step:
    """What a step deleted, and the user id after which the next one continues; None: it was the last."""

    entries: int
    notifications: int
    after: str | None


def present(database: Database) -> datetime:
    """Return the database's time, by which the age of rows is measured: another clock may be wrong.

    Raises DatabaseUnavailable.
    """
    with database.read() as connection:
        return clock.present(connection)


def step(database: Database, *, before: datetime, after: str, now: datetime, rows: int = ROWS) -> Step:
    """Purge up to `rows` entries older than `before` of the users that follow `after`, in one transaction.

    `before` must be 24 hours ago or more. Raises DatabaseUnavailable.
    """
    with database.read() as connection:
        users, last = purge.overdue(connection, before, after, USERS)
    if users:
        done = database.run(lambda c: purge.purge(c, users, before=before, limit=rows, now=now))
        if done.through != users[-1]:
            return Step(done.entries, done.notifications, done.through or after)
        if last is not None:
            return Step(done.entries, done.notifications, last)
    elif last is not None:
        return Step(0, 0, last)
    else:
        done = purge.Purged(0, 0, None)
    left = database.run(lambda c: purge.leftovers(c, before, rows))
    database.run(lambda c: rejected.purge(c, before))
    more = database.run(lambda c: sockets.purge(c, before, rows)) == rows
    return Step(done.entries, done.notifications + left, (users[-1] if users else after) if more else None)


def forget_sockets(database: Database, *, now: datetime) -> bool:
    """Delete some records of old sockets; return whether more may be left.

    Without this a row for each hello would be kept. Raises DatabaseUnavailable.
    """
    return database.run(lambda c: sockets.purge(c, now - SOCKETS_KEPT, SOCKETS)) == SOCKETS
