"""The dashboard's queries besides the reports: latencies by stage, slowest, waiting, connected.

Days are days of acceptance in UTC, inclusive. Latencies and undelivered ones cover only the newest
notifications, `newest` deliveries at most, so that a long range costs no more than a short one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import ACCEPTED, gateways, notifications, sockets
from notifier.core.timeline import LOST_AFTER
from notifier.outbox.types import AnyRow, UtcDateTime, UuidText

NEWEST = 20_000  # deliveries used for latencies
ROWS = 20  # of a list

STAGES = ("accepted_to_persisted", "persisted_to_delivered", "delivered_to_read", "accepted_to_delivered")

n, s, g = notifications.c, sockets.c, gateways.c

_view = sa.table(
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
v = _view.c


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
    newest = sa.select(*kept).where(*_within(where)).cte("newest").prefix_with("MATERIALIZED")
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
    return _plainly(connection).execute(query).all()


def slowest(connection: Connection, where: TimeRange, limit: int = ROWS) -> Sequence[AnyRow]:
    """Return the deliveries that took longest from accepted to delivered, the slowest first."""
    ms = v.accepted_to_delivered_ms
    query = (
        sa.select(
            v.notification_id, v.user_id, v.event, v.type, v.accepted_at, ms,
            v.accepted_to_persisted_ms, v.persisted_to_delivered_ms,
        )
        .where(*_within(where), ms.is_not(None))
        .order_by(ms.desc(), v.notification_id, v.user_id)
        .limit(limit)
    )  # fmt: skip
    return _plainly(connection).execute(query).all()


def undelivered(connection: Connection, where: TimeRange, limit: int = ROWS) -> Sequence[AnyRow]:
    """Return the deliveries that no device has yet, the oldest first."""
    query = (
        sa.select(v.notification_id, v.user_id, v.event, v.type, v.accepted_at, v.persisted_at)
        .where(*_within(where), v.delivered_at.is_(None))
        .order_by(v.accepted_at, v.notification_id, v.user_id)
        .limit(limit)
    )
    return _plainly(connection).execute(query).all()


def waiting(connection: Connection, limit: int = ROWS) -> Sequence[AnyRow]:
    """Return what is accepted and not dispatched, the oldest first."""
    return connection.execute(
        sa.select(
            n.id, n.event, n.recipients, n.reached, n.attempts, n.accepted_at, n.next_attempt_at, n.error
        )
        .where(n.state == ACCEPTED)
        .order_by(n.number)
        .limit(limit)
    ).all()


def connected(connection: Connection, now: datetime, limit: int = ROWS) -> Sequence[AnyRow]:
    """Return the sockets that are open now, the newest first."""
    return connection.execute(
        sa.select(s.user_id, s.device, s.gateway, s.opened_at, s.id)
        .join_from(sockets, gateways, g.id == s.gateway)
        .where(s.closed_at.is_(None), g.stopped_at.is_(None), g.seen_at >= now - LOST_AFTER)
        .order_by(s.opened_at.desc(), s.id)
        .limit(limit)
    ).all()


def _within(where: TimeRange) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return v.accepted_at >= where.begin, v.accepted_at < where.end


def _day(connection: Connection) -> sa.ColumnElement[str]:
    """Return the day of acceptance in UTC, as text."""
    if connection.dialect.name == "postgresql":
        return sa.func.to_char(sa.func.timezone("UTC", v.accepted_at), "YYYY-MM-DD")
    return sa.func.substr(sa.type_coerce(v.accepted_at, sa.Text), 1, 10)


def _plainly(connection: Connection) -> Connection:
    """Turn off JIT: PostgreSQL would take longer to compile these queries than to run them."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL jit = off")
    return connection
