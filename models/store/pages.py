"""Pages of the inbox, newest first."""

from collections.abc import Iterable
from heapq import merge
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.inbox_heads import inbox_row
from models.store.visible import SNOOZED, STANDING, VISIBLE
from models.tables import deliveries, notifications, read_marks
from notifier.core.log import (
    Item,
    Status,
)
from notifier.outbox.types import AnyRow, milliseconds, not_before

d, n = deliveries.c, notifications.c

#: When an entry was read: by itself, or by the first watermark that covers it, but not before it came.
READ_AT: sa.ColumnElement[Any] = sa.case(
    (d.read_at.is_not(None), d.read_at),
    (sa.or_(d.kept_unread, sa.not_(d.inbox)), sa.null()),
    else_=sa.select(not_before(d.persisted_at, read_marks.c.at))
    .where(read_marks.c.user_id == d.user_id, read_marks.c.through >= d.seq)
    .order_by(read_marks.c.through)
    .limit(1)
    .correlate(deliveries)
    .scalar_subquery(),
)


def unread_items(
    connection: Connection, user_id: str, read_through: int, limit: int, before: int | None = None
) -> list[Item]:
    """Return unread items, newest first: those after the watermark, and those kept unread below it."""
    base = _items(user_id, before).where(d.read_at.is_(None), VISIBLE).limit(limit)
    kept = connection.execute(base.where(d.kept_unread, d.seq <= read_through))
    if before is not None and before <= read_through + 1:
        return list(_read(kept))
    fresh = connection.execute(base.where(d.inbox, d.seq > read_through))
    newest = merge(_read(fresh), _read(kept), key=lambda item: -item.seq)
    return [item for item, _ in zip(newest, range(limit), strict=False)]


def page(
    connection: Connection, user_id: str, status: Status, limit: int, before: int | None
) -> tuple[list[Item], AnyRow | None]:
    """Return a page of the inbox, newest first, and the inbox's row; `before` is a seq."""
    head = inbox_row(connection, user_id)
    if head is None:
        return [], None
    if status is Status.UNREAD:
        return unread_items(connection, user_id, head.read_through, limit, before), head
    query = _items(user_id, before).where(d.inbox, SNOOZED if status is Status.SNOOZED else VISIBLE)
    query = query.limit(limit)
    if status is Status.ARCHIVED:
        query = query.where(d.archived_at.is_not(None))
    elif status is Status.READ:
        below = sa.and_(d.seq <= head.read_through, sa.not_(d.kept_unread))
        query = query.where(d.archived_at.is_(None), sa.or_(d.read_at.is_not(None), below))
    return list(_read(connection.execute(query))), head


def _items(user_id: str, before: int | None) -> sa.Select[Any]:
    query = (
        sa.select(
            d.seq,
            n.event,
            n.id,
            n.sender,
            n.accepted_at,
            n.data,
            READ_AT,
            d.archived_at,
            d.collapsed,
            d.returned_at,
            d.until,
            n.category,
            n.version,
        )
        .join_from(deliveries, notifications, d.notification_id == n.id)
        .where(d.user_id == user_id, STANDING)
        .order_by(d.seq.desc())
    )
    return query if before is None else query.where(d.seq < before)


def _read(rows: Iterable[Any]) -> Iterable[Item]:
    for seq, event, id, sender, at, data, read_at, archived_at, *more in rows:
        collapsed, returned_at, until, category, version = more
        yield Item(
            seq,
            event,
            id,
            sender,
            milliseconds(at),
            data,
            milliseconds(read_at) if read_at else None,
            milliseconds(archived_at) if archived_at else None,
            collapsed,
            returned_at is not None,
            milliseconds(until) if until else None,
            category,
            version,
        )
