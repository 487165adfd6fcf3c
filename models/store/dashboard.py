"""The dashboard's queries besides the reports: the times that are covered, latencies by stage.

Days are days of acceptance in UTC, inclusive. Latencies and undelivered ones cover only the newest
notifications, `newest` deliveries at most, so that a long range costs no more than a short one.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.planner import in_short
from models.tables import notifications
from notifier.outbox.types import UtcDateTime, UuidText

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
    c = counted.c
    last, beyond, newest_of_all = connection.execute(
        sa.select(
            sa.func.min(c.accepted_at).filter(c.total <= newest),
            sa.func.max(c.total),
            sa.func.max(c.accepted_at),
        )
    ).one()
    if beyond is None or beyond <= newest:
        return TimeRange(begin, end, whole=True)
    return TimeRange(last or newest_of_all or begin, end, whole=False)


@dataclass(frozen=True, slots=True)
class Latency:
    """The latencies of one stage on a day, by nearest rank; `day` None: on all days."""

    stage: str
    day: str | None
    count: int
    p50_ms: int
    p95_ms: int
    p99_ms: int


def latencies(connection: Connection, where: TimeRange) -> Sequence[Latency]:
    """Return the latencies by stage and day; a stage without deliveries has none.

    They are sorted here: what PostgreSQL and SQLite can do alike takes them longer, in window functions.
    """
    day = _day(connection).label("day")
    query = sa.select(day, *(v[f"{stage}_ms"] for stage in STAGES)).where(*within(where))
    values: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for row_day, *row in in_short(connection).execute(query):
        for stage, ms in zip(STAGES, row, strict=True):
            if ms is not None:
                values[stage, row_day].append(ms)
                values[stage, None].append(ms)
    found = []
    for stage, of_day in sorted(values, key=lambda key: (key[0], key[1] or "")):
        some = sorted(values[stage, of_day])
        found.append(
            Latency(stage, of_day, len(some), *(_nearest(some, percent) for percent in (50, 95, 99)))
        )
    return found


def _nearest(ordered: Sequence[int], percent: int) -> int:
    """Return the smallest value that `percent` of 100 do not exceed."""
    return ordered[-(-percent * len(ordered) // 100) - 1]


def within(where: TimeRange) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Return the conditions on `report_deliveries` for a range of times."""
    return v.accepted_at >= where.begin, v.accepted_at < where.end


def _day(connection: Connection) -> sa.ColumnElement[str]:
    """Return the day of acceptance in UTC, as text."""
    if connection.dialect.name == "postgresql":
        return sa.func.to_char(sa.func.timezone("UTC", v.accepted_at), "YYYY-MM-DD")
    return sa.func.substr(sa.type_coerce(v.accepted_at, sa.Text), 1, 10)
