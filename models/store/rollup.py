"""The daily rollup: the sums of days that are over.

A day needs a rollup when it has none, or when it is dirty: changed since. Until it is rolled up,
`notifier_report_daily` counts it from the rows. Triggers mark days as dirty (migration n0003) for changes of
rows that are an hour old or older; a day is rolled up when all of its rows are twice that age. So a change
that a trigger ignores is in no rollup (docs/adr/0024).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.reports import report_daily
from models.tables import (
    ACCEPTED,
    DEAD,
    deliveries,
    notifications,
    report_days,
    report_history,
    report_marks,
    report_sums,
)
from notifier.outbox.dialect import insert
from notifier.outbox.types import AnyRow, UtcDateTime

SETTLED = timedelta(hours=2)  # twice the age from which on changes are marked
DAY = timedelta(days=1)

n, d, r, m = notifications.c, deliveries.c, report_days.c, report_marks.c


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of a day, with the version and the marks that it had when it was counted."""

    day: date
    version: int | None
    marks: Sequence[int]
    rows: Sequence[AnyRow]


def wanting(connection: Connection) -> list[date]:
    """Return past days without sums or with a mark, the newest first."""
    last = (_clock(connection) - SETTLED).date() - DAY
    days = set(connection.scalars(sa.select(report_history.c.day).distinct()))
    first = connection.scalar(sa.select(sa.func.min(n.accepted_at)))
    if first is not None:
        begin = first.astimezone(UTC).date()
        days.update(begin + number * DAY for number in range((last - begin).days + 1))
    summed = connection.scalars(sa.select(r.day).where(~sa.exists().where(m.day == r.day)))
    return sorted((day for day in days.difference(summed) if day <= last), reverse=True)


def count(connection: Connection, day: date) -> Sums | None:
    """Count a day in a consistent snapshot; None: it is too recent, or needs nothing."""
    version = connection.scalar(sa.select(r.version).where(r.day == day))
    marks = connection.scalars(sa.select(m.id).where(m.day == day)).all()
    if (version is not None and not marks) or not _settled(connection, day):
        return None
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL jit = off")
    rows = connection.execute(sa.select(report_daily).where(report_daily.c.day == day)).all()
    return Sums(day, version, marks, rows)


def put(connection: Connection, sums: Sums) -> bool:
    """Store the sums unless another process has meanwhile; return whether they were stored.

    A change since the count has left another mark, which stays.
    """
    if not _claim(connection, sums):
        return False
    connection.execute(sa.delete(report_sums).where(report_sums.c.day == sums.day))
    if sums.rows:
        values = [row._asdict() | {"type": row.type or ""} for row in sums.rows]
        connection.execute(sa.insert(report_sums), values)
    if sums.marks:
        gone = sa.delete(report_marks).where(m.id == sa.bindparam("mark"))
        connection.execute(gone, [{"mark": mark} for mark in sums.marks])
    return True


def _claim(connection: Connection, sums: Sums) -> bool:
    if sums.version is None:
        # Of two concurrent inserts, one finds the row.
        claim = insert(connection, report_days).values(day=sums.day, version=1).on_conflict_do_nothing()
    else:
        known = r.day == sums.day, r.version == sums.version
        claim = sa.update(report_days).where(*known).values(version=r.version + 1)
    return connection.execute(claim.returning(r.day)).first() is not None


def _clock(connection: Connection) -> datetime:
    """Return the time by the database's clock, which the triggers use too."""
    moment: sa.ColumnElement[datetime] = sa.func.now()
    if connection.dialect.name == "sqlite":
        moment = sa.type_coerce(sa.func.strftime("%Y-%m-%d %H:%M:%S.000000", "now"), UtcDateTime)
    return connection.execute(sa.select(moment)).scalar_one().astimezone(UTC)


def _settled(connection: Connection, day: date) -> bool:
    """Return whether every delivery is old enough, so that each later change leaves a mark."""
    begin = datetime.combine(day, time(), UTC)
    young = _clock(connection) - SETTLED
    restless = sa.or_(
        n.state == ACCEPTED,
        n.dispatched_at >= young,
        sa.and_(n.state == DEAD, sa.exists().where(d.notification_id == n.id, d.persisted_at >= young)),
    )
    found = sa.exists().where(n.accepted_at >= begin, n.accepted_at < begin + DAY, restless)
    return begin + DAY <= young and not connection.scalar(sa.select(found))
