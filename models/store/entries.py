"""A user's last inbox entries with their state, those that have left the inbox included."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.log import READ_AT
from models.store.visible import GONE
from models.tables import deliveries, notifications
from notifier.core.log import Status, Why
from notifier.outbox.types import AnyRow

d, n = deliveries.c, notifications.c


@dataclass(frozen=True, slots=True)
class Known:
    """One entry.

    Attributes:
        seq, id, event, sender, accepted_at: of its arrival.
        state: a Status, or why it is out of the inbox for good.
        since: when that state began, as far as the entry itself says; None: unknown.
        until: when a snoozed one comes back.
        data: None for what is withdrawn.
    """

    seq: int
    id: str
    event: str
    sender: str
    accepted_at: datetime
    state: str
    since: datetime | None
    until: datetime | None
    data: dict[str, Any] | None


def latest(connection: Connection, user_id: str, limit: int) -> Sequence[Known]:
    """Return a user's last `limit` entries, newest first."""
    columns = (
        d.seq, n.id, n.event, n.sender, n.accepted_at, n.data, d.persisted_at, d.archived_at,
        d.hidden, d.until, d.returned_at, READ_AT.label("read"), GONE.label("gone"),
    )  # fmt: skip
    rows = connection.execute(
        sa.select(*columns)
        .join_from(deliveries, notifications, d.notification_id == n.id)
        .where(d.user_id == user_id, d.inbox)
        .order_by(d.seq.desc())
        .limit(limit)
    )
    return [_known(row) for row in rows]


def _known(row: AnyRow) -> Known:
    state, since = _state(row)
    data = None if row.gone is not None else row.data
    return Known(row.seq, row.id, row.event, row.sender, row.accepted_at, state, since, row.until, data)


def _state(row: AnyRow) -> tuple[str, datetime | None]:
    if row.gone is not None:
        return row.gone, None
    if row.hidden == Why.COLLAPSED:
        return Why.COLLAPSED.value, None
    if row.hidden == Why.SNOOZED:
        return Status.SNOOZED.value, None
    if row.archived_at is not None:
        return Status.ARCHIVED.value, row.archived_at
    if row.read is not None:
        return Status.READ.value, row.read
    return Status.UNREAD.value, row.returned_at or row.persisted_at
