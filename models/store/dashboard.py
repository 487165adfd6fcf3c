"""The dashboard's queries besides the reports: the times that are covered, latencies by stage.

Days are days of acceptance in UTC, inclusive. Latencies and undelivered ones cover only the newest
notifications, `newest` deliveries at most, so that a long range costs no more than a short one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import notifications
from notifier.outbox.types import AnyRow, UtcDateTime, UuidText

NEWEST = 20_000  # deliveries used for latencies

STAGES = ("accepted_to_persisted", "persisted_to_delivered", "delivered_to_read", "accepted_to_delivered")

n = notifications.c

report_deliveries = sa.table(
    "notifier_report_deliveries",
    sa.column("notification_id", UuidText),
    sa.column("user_id", sa.String),
    sa.column("event", sa.String),
    sa.column("type", sa.String),
    sa.column("accepted_at", UtcDateTime),
    sa.column("persisted_at", UtcDateTime),
    sa.column("delivered_at", UtcDateTime),
    sa.column("read_at", UtcDateTime),
    *(sa.column(f"{stage}_ms", sa.BigInteger) for stage in STAGES),
)
v = report_deliveries.c


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The times [begin, end) that are covered; `whole` False: the days have more."""

    begin: datetime
    end: datetime
    whole: bool


def span(connection: Connection, since: date, until: date, *, newest: int = NEWEST) -> TimeRange:
    """Return the part of the days with the newest `newest` deliveries (simultaneous ones stay together)."""
    begin = datetime.combine(since, time(), UTC)
    end = datetime.combine(until, time(), UTC) + timedelta(days=1)
    some = (
        sa.select(n.accepted_at, n.number, n.recipients)
        .where(n.accepted_at >= begin, n.accepted_at < end)
        .order_by(n.accepted_at.desc())
        .limit(newest + 1)
        .subquery()
    )
    total = sa.func.sum(some.c.recipients).over(order_by=[some.c.accepted_at.desc(), some.c.number.desc()])
    counted = sa.select(some.c.accepted_at, total.label("total")).subquery()
    last = connection.scalar(
        sa.select(sa.func.min(counted.c.accepted_at)).where(counted.c.total <= newest),
    )
    beyond = connection.scalar(sa.select(sa.func.max(counted.c.total)))
    if beyond is None or beyond <= newest:
        return TimeRange(begin, end, whole=True)
    newest_of_all = connection.scalar(sa.select(sa.func.max(counted.c.accepted_at)))
    return TimeRange(last or newest_of_all or begin, end, whole=False)


def latencies(connection: Connection, where: TimeRange) -> Sequence[AnyRow]:
    """Return (stage, day, count, p50_ms, p95_ms, p99_ms) by nearest rank; day NULL: all days.

    A stage without deliveries has no row.
    """
    kept = _day(connection).label("day"), *(v[f"{stage}_ms"] for stage in STAGES)
    newest = sa.select(*kept).where(*within(where)).cte("newest").prefix_with("MATERIALIZED")
    each = sa.union_all(
        *(
            sa.select(
                sa.literal_column(f"'{stage}'", sa.Text).label("stage"),
                day.label("day"),
                newest.c[f"{stage}_ms"].label("ms"),
            ).where(newest.c[f"{stage}_ms"].is_not(None))
            for stage in STAGES
            for day in (newest.c.day, sa.cast(sa.null(), sa.Text))
        )
    ).subquery()
    group = [each.c.stage, each.c.day]
    ranked = sa.select(
        *group,
        each.c.ms,
        sa.func.row_number().over(partition_by=group, order_by=each.c.ms).label("place"),
        sa.func.count().over(partition_by=group).label("total"),
    ).subquery()

    def nearest(percent: int) -> sa.ColumnElement[Any]:
        reached = 100 * ranked.c.place >= percent * ranked.c.total
        return sa.func.min(ranked.c.ms).filter(reached).label(f"p{percent}_ms")

    query = (
        sa.select(
            ranked.c.stage, ranked.c.day, sa.func.count().label("count"), *(nearest(p) for p in (50, 95, 99))
        )
        .group_by(ranked.c.stage, ranked.c.day)
        .order_by(ranked.c.stage, ranked.c.day)
    )
    return plainly(connection).execute(query).all()


def within(where: TimeRange) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Return the conditions on `report_deliveries` for a range of times."""
    return v.accepted_at >= where.begin, v.accepted_at < where.end


def _day(connection: Connection) -> sa.ColumnElement[str]:
    """Return the day of acceptance in UTC, as text."""
    if connection.dialect.name == "postgresql":
        return sa.func.to_char(sa.func.timezone("UTC", v.accepted_at), "YYYY-MM-DD")
    return sa.func.substr(sa.type_coerce(v.accepted_at, sa.Text), 1, 10)


def plainly(connection: Connection) -> Connection:
    """Turn off JIT: PostgreSQL would take longer to compile these queries than to run them."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL jit = off")
    return connection
