"""What the reporting views must return: a plain count of the rows, in Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import reports
from models.tables import deliveries, inboxes, notifications, read_marks
from models.tables import devices as devices_table
from notifier.outbox.types import AnyRow, UtcDateTime, UuidText


def ms(begin: datetime | None, end: datetime | None) -> int | None:
    """Return the whole milliseconds between two moments, rounded from whole microseconds as the views do."""
    if begin is None or end is None:
        return None
    microseconds = (end - begin) // timedelta(microseconds=1) + 500
    return microseconds // 1000 if microseconds >= 0 else -(-microseconds // 1000)


def nearest_rank(values: Sequence[int], percent: int) -> int | None:
    """Return the smallest value that `percent` of 100 values do not exceed."""
    ordered = sorted(values)
    return ordered[-(-percent * len(ordered) // 100) - 1] if ordered else None


@dataclass(frozen=True)
class Copy:
    """One recipient's copy, from its rows."""

    notification: AnyRow
    row: AnyRow
    delivered_at: datetime | None
    read_at: datetime | None

    @property
    def kind(self) -> str | None:
        kind = self.notification.data.get("type")
        return kind[:64] or None if isinstance(kind, str) else None

    @property
    def key(self) -> tuple[date, str, str | None]:
        return self.notification.accepted_at.astimezone(UTC).date(), self.notification.event, self.kind

    @property
    def delivered_ms(self) -> int | None:
        return ms(self.notification.accepted_at, self.delivered_at)


@dataclass
class Raw:
    """All rows of the tables, read in one transaction."""

    connection: Connection
    copies: dict[tuple[str, int], Copy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.notifications = {row.id: row for row in self._all(notifications)}
        self.inboxes = {row.user_id: row for row in self._all(inboxes)}
        self.devices = self._all(devices_table)
        marks = defaultdict(list)
        for mark in self._all(read_marks):
            marks[mark.user_id].append((mark.through, mark.at))
        for row in self._all(deliveries):
            read_at = row.read_at
            if read_at is None and row.inbox and not row.kept_unread:
                read_at = next((at for through, at in sorted(marks[row.user_id]) if through >= row.seq), None)
                read_at = read_at and max(read_at, row.persisted_at)  # the mark's clock may be another one
            delivered_at = min(filter(None, (row.delivered_at, read_at)), default=None)
            notification = self.notifications[row.notification_id]
            self.copies[row.user_id, row.seq] = Copy(notification, row, delivered_at, read_at)

    def _all(self, table: sa.Table) -> Sequence[AnyRow]:
        return self.connection.execute(sa.select(table)).all()

    def deliveries(self) -> set[tuple[Any, ...]]:
        return {
            (
                copy.row.notification_id, copy.row.user_id, copy.row.seq, copy.notification.event, copy.kind,
                copy.notification.accepted_at, copy.row.persisted_at, copy.delivered_at, copy.read_at,
                ms(copy.notification.accepted_at, copy.row.persisted_at),
                ms(copy.row.persisted_at, copy.delivered_at), ms(copy.delivered_at, copy.read_at),
                copy.delivered_ms, ms(copy.notification.accepted_at, copy.read_at),
            )
            for copy in self.copies.values()
        }  # fmt: skip

    def notifications_report(self, gone: Sequence[Copy] = ()) -> set[tuple[Any, ...]]:
        """Return the report of notifications, with the purged copies as they were."""
        sent: Counter[str] = Counter()
        delivered: Counter[str] = Counter()
        read: Counter[str] = Counter()
        for copy in (*self.copies.values(), *gone):
            id = copy.row.notification_id
            sent[id] += 1
            delivered[id] += copy.delivered_at is not None
            read[id] += copy.read_at is not None
        assert set(self.notifications) >= {copy.row.notification_id for copy in self.copies.values()}
        return {
            (
                row.id, row.event, Copy(row, row, None, None).kind, row.state, row.accepted_at,
                row.dispatched_at, row.recipients, sent[row.id], delivered[row.id], read[row.id],
                ms(row.accepted_at, row.dispatched_at), row.suppressed,
            )
            for row in self.notifications.values()
        }  # fmt: skip

    def devices_report(self) -> set[tuple[Any, ...]]:
        heads = {user: inbox.seq for user, inbox in self.inboxes.items()}
        return {
            (
                row.user_id, row.device, row.acked_seq, heads.get(row.user_id, 0),
                max(0, heads.get(row.user_id, 0) - row.acked_seq), row.first_seen_at, row.last_seen_at,
            )
            for row in self.devices
        }  # fmt: skip


def daily_of(copies: Sequence[Copy]) -> list[tuple[Any, ...]]:
    """Return the daily report of some copies."""
    groups = defaultdict(list)
    for copy in copies:
        groups[copy.key].append(copy)
    rows = []
    for key, group in groups.items():
        latencies = [copy.delivered_ms for copy in group if copy.delivered_ms is not None]
        read = sum(copy.read_at is not None for copy in group)
        p50, p95 = nearest_rank(latencies, 50), nearest_rank(latencies, 95)
        rows.append((*key, len(group), len(latencies), read, p50, p95))
    return sorted(rows, key=str)


def view(connection: Connection, name: str) -> set[tuple[Any, ...]]:
    """Return the rows of a view, with the types of our tables."""
    times = {"accepted_at", "persisted_at", "delivered_at", "read_at", "dispatched_at", "first_seen_at",
             "last_seen_at"}  # fmt: skip
    names = connection.execute(sa.text(f"SELECT * FROM {name} WHERE 1 = 0")).keys()
    types: dict[str, Any] = {"notification_id": UuidText} | dict.fromkeys(times, UtcDateTime)
    columns = [sa.column(column, types.get(column)) for column in names]
    rows = connection.execute(sa.select(*columns).select_from(sa.table(name))).all()
    found = {tuple(row) for row in rows}
    assert len(found) == len(rows), f"{name} says a thing twice"
    return found


def daily(
    connection: Connection, since: date | None = None, until: date | None = None
) -> list[tuple[Any, ...]]:
    """Return the rows of `notifier_report_daily`."""
    return sorted((tuple(row) for row in reports.daily(connection, since, until)), key=str)


def differences(connection: Connection, gone: Sequence[Copy] = ()) -> Iterator[str]:
    """Return the differences between a view and the rows; `connection` is one snapshot."""
    raw = Raw(connection)
    expected: dict[str, set[tuple[Any, ...]]] = {
        "notifier_report_deliveries": raw.deliveries(),
        "notifier_report_devices": raw.devices_report(),
        "notifier_report_notifications": raw.notifications_report(gone),
        "notifier_report_daily": set(daily_of([*raw.copies.values(), *gone])),
    }
    for name, rows in expected.items():
        said = set(daily(connection)) if name == "notifier_report_daily" else view(connection, name)
        yield from (f"{name} says {row}" for row in sorted(said - rows, key=str))
        yield from (f"{name} does not say {row}" for row in sorted(rows - said, key=str))
