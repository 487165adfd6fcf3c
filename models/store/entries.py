"""A user's last inbox entries with their state, those that have left the inbox included."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.pages import READ_AT
from models.store.visible import GONE
from models.tables import deliveries, notifications
from notifier.core.entry_reason import Known
from notifier.core.log import Status, Why
from notifier.outbox.types import AnyRow

d, n = deliveries.c, notifications.c


def latest(
    connection: Connection,
    user_id: str,
    limit: int,
    *,
    before: int | None = None,
    after: int | None = None,
) -> Sequence[Known]:
    """Return a user's last `limit` entries, newest first.

    `before`: only those with a lower seq. `after`: the oldest ones with a higher seq.
    """
    columns = (
        d.seq, n.id, n.event, n.sender, n.accepted_at, n.data, n.ended_at, n.expires_at, d.persisted_at,
        d.delivered_at, d.archived_at, d.hidden, d.until, d.returned_at, d.quiet,
        READ_AT.label("read"), GONE.label("gone"),
    )  # fmt: skip
    query = (
        sa.select(*columns)
        .join_from(deliveries, notifications, d.notification_id == n.id)
        .where(d.user_id == user_id, d.inbox)
        .limit(limit)
    )
    if after is not None:
        rows = connection.execute(query.where(d.seq > after).order_by(d.seq)).all()
        return [_known(row) for row in reversed(rows)]
    if before is not None:
        query = query.where(d.seq < before)
    return [_known(row) for row in connection.execute(query.order_by(d.seq.desc()))]


def _known(row: AnyRow) -> Known:
    state, since = _state(row)
    data = None if row.gone is not None else row.data
    return Known(
        row.seq, row.id, row.event, row.sender, row.accepted_at, state, since, row.until, data,
        row.persisted_at, row.delivered_at or row.read, bool(row.quiet),
    )  # fmt: skip


def _state(row: AnyRow) -> tuple[str, datetime | None]:
    if row.gone is not None:
        return row.gone, row.ended_at or (row.expires_at if row.gone == Why.EXPIRED else None)
    if row.hidden == Why.COLLAPSED:
        return Why.COLLAPSED.value, None
    if row.hidden == Why.SNOOZED:
        return Status.SNOOZED.value, None
    if row.archived_at is not None:
        return Status.ARCHIVED.value, row.archived_at
    if row.read is not None:
        return Status.READ.value, row.read
    return Status.UNREAD.value, row.returned_at or row.persisted_at
