"""The reports, read from the views of migration 0002 (`docs/reporting.md`).

`since` and `until` are days in UTC, both inclusive; None: no bound. Days and times are those of acceptance;
for devices, when they were last seen. Long reports are read in pages by keyset, never by offset.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.planner import in_short
from notifier.outbox.types import AnyRow, UtcDateTime, UuidText, milliseconds

PAGE = 1_000  # rows of a page by default

Cursor: TypeAlias = tuple[Any, ...]


def _view(name: str, *columns: str, **typed: Any) -> sa.TableClause:
    return sa.table(name, *(sa.column(c, typed.get(c)) for c in columns))


report_daily = _view(
    "notifier_report_daily",
    "day",
    "event",
    "type",
    "sent",
    "delivered",
    "read",
    "p50_ms",
    "p95_ms",
    day=sa.Date,
)
report_notifications = _view(
    "notifier_report_notifications",
    "notification_id",
    "event",
    "type",
    "status",
    "accepted_at",
    "dispatched_at",
    "recipients",
    "sent",
    "delivered",
    "read",
    "accepted_to_dispatched_ms",
    "suppressed",
    notification_id=UuidText,
    accepted_at=UtcDateTime,
    dispatched_at=UtcDateTime,
)
report_devices = _view(
    "notifier_report_devices",
    "user_id",
    "device",
    "acked_seq",
    "head_seq",
    "lag",
    "first_seen_at",
    "last_seen_at",
    first_seen_at=UtcDateTime,
    last_seen_at=UtcDateTime,
)


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A page of a report, and the cursor of the next one; None: it is the last."""

    rows: Sequence[AnyRow]
    next: Cursor | None


def daily(connection: Connection, since: date | None = None, until: date | None = None) -> Sequence[AnyRow]:
    """Return `notifier_report_daily`, oldest day first."""
    v = report_daily.c
    query = sa.select(report_daily).order_by(v.day, _bytes(connection, v.event), _bytes(connection, v.type))
    if since is not None:
        query = query.where(v.day >= since)
    if until is not None:
        query = query.where(v.day <= until)
    return in_short(connection).execute(query).all()


def notifications(
    connection: Connection,
    since: date | None = None,
    until: date | None = None,
    *,
    limit: int = PAGE,
    after: Cursor | None = None,
) -> ReportPage:
    """Return a page of `notifier_report_notifications`, newest first.

    `after`: the (accepted_at, notification_id) of the last row of the page before.
    """
    v = report_notifications.c
    query = (
        sa.select(report_notifications)
        .where(*_between(v.accepted_at, since, until))
        .order_by(v.accepted_at.desc(), v.notification_id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        at, id = after
        query = query.where(v.accepted_at <= at, sa.or_(v.accepted_at < at, v.notification_id < id))
    return _page(connection.execute(query).all(), limit, "accepted_at", "notification_id")


def devices(
    connection: Connection,
    since: date | None = None,
    until: date | None = None,
    *,
    limit: int = PAGE,
    after: Cursor | None = None,
) -> ReportPage:
    """Return a page of `notifier_report_devices`, ordered by user and device.

    `after`: the (user_id, device) of the last row of the page before.
    """
    v = report_devices.c
    query = (
        sa.select(report_devices)
        .where(*_between(v.last_seen_at, since, until))
        .order_by(v.user_id, v.device)
        .limit(limit + 1)
    )
    if after is not None:
        user_id, device = after
        query = query.where(v.user_id >= user_id, sa.or_(v.user_id > user_id, v.device > device))
    return _page(connection.execute(query).all(), limit, "user_id", "device")


def read(
    connection: Connection, name: str, since: date | None, until: date | None
) -> tuple[Sequence[str], Iterable[AnyRow]]:
    """Return the columns and all rows of the report `name`: `daily`, `notifications` or `devices`."""
    if name == "daily":
        return report_daily.c.keys(), daily(connection, since, until)
    view, pages = {
        "notifications": (report_notifications, notifications),
        "devices": (report_devices, devices),
    }[name]
    return view.c.keys(), every(lambda after: pages(connection, since, until, after=after))


def every(read: Callable[[Cursor | None], ReportPage]) -> Iterator[AnyRow]:
    """Yield the rows of all pages; `read` returns the page after a cursor."""
    page = read(None)
    yield from page.rows
    while page.next is not None:
        page = read(page.next)
        yield from page.rows


def plain(row: AnyRow) -> dict[str, Any]:
    """Return a row for JSON: days as `2026-11-20`, times in milliseconds since 1970 UTC."""
    return {name: _plain(value) for name, value in row._asdict().items()}


def values(row: AnyRow) -> dict[str, Any]:
    """Return a row's values by the names of its columns."""
    return row._asdict()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return milliseconds(value)
    return value.isoformat() if isinstance(value, date) else value


def _bytes(connection: Connection, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Order texts by their bytes, NULL first, alike on both databases."""
    name = "C" if connection.dialect.name == "postgresql" else "BINARY"
    return sa.collate(column, name).asc().nulls_first()


def _between(
    moment: sa.ColumnElement[Any], since: date | None, until: date | None
) -> Iterator[sa.ColumnElement[bool]]:
    if since is not None:
        yield moment >= datetime.combine(since, time(), UTC)
    if until is not None and until < date.max:
        yield moment < datetime.combine(until, time(), UTC) + timedelta(days=1)


def _page(rows: Sequence[AnyRow], limit: int, *key: str) -> ReportPage:
    more, rows = len(rows) > limit, rows[:limit]
    return ReportPage(rows, tuple(getattr(rows[-1], name) for name in key) if more else None)
