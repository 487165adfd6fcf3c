"""One notification's present state, and what could not be dispatched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import reach
from models.store.due import due
from models.store.pages import READ_AT
from models.tables import ACCEPTED, DEAD, SCHEDULED, deliveries, notifications
from notifier.core.categories import GENERAL
from notifier.core.states import WITHDRAWN
from notifier.outbox.types import AnyRow

n, d = notifications.c, deliveries.c


@dataclass(frozen=True, slots=True)
class NotificationStatus:
    """What `GET /api/notifications/<id>` tells; `data` is None for what is withdrawn."""

    id: str
    event: str
    data: dict[str, Any] | None
    status: str
    accepted_at: datetime
    recipients: int
    delivered: int
    read: int
    category: str
    deliver_at: datetime | None
    expires_at: datetime | None
    version: int
    channels: Mapping[str, Mapping[str, int]]
    suppressed: int
    sender: str


def status(connection: Connection, id: str) -> NotificationStatus | None:
    """Return a notification with its counts; None when it does not exist."""
    row = connection.execute(sa.select(notifications).where(n.id == id)).first()
    if row is None:
        return None
    delivered, read = counts(connection, row)
    return NotificationStatus(
        row.id,
        row.event,
        None if row.state in WITHDRAWN else row.data,
        row.state,
        row.scheduled_at or row.accepted_at,
        row.recipients,
        delivered,
        read,
        row.category or GENERAL,
        row.deliver_at,
        row.expires_at,
        row.version or 1,
        reach.states(connection, id),
        row.suppressed,
        row.sender,
    )


def counts(connection: Connection, row: AnyRow) -> tuple[int, int]:
    """Return how many recipients of a notification's row have it on a device, and how many read it."""
    delivered, read = connection.execute(
        sa.select(
            sa.func.count().filter(sa.or_(d.delivered_at.is_not(None), READ_AT.is_not(None))),
            sa.func.count().filter(READ_AT.is_not(None)),
        ).where(d.notification_id == row.id)
    ).one()
    return delivered + row.purged_delivered, read + row.purged_read


def dead(connection: Connection, *, limit: int = 1_000) -> Sequence[AnyRow]:
    """Return what could not be dispatched, oldest first, with its error."""
    return connection.execute(
        sa.select(n.id, n.event, n.recipients, n.reached, n.attempts, n.accepted_at, n.error)
        .where(n.state == DEAD)
        .order_by(n.number)
        .limit(limit)
    ).all()


def replay(connection: Connection, id: str) -> bool:
    """Let a dead notification wait again, as if it had just been accepted; False: it is not dead."""
    found = connection.execute(
        sa.update(notifications)
        .where(n.id == id, n.state == DEAD)
        .values(state=ACCEPTED, attempts=0, next_attempt_at=None)
    )
    return found.rowcount == 1


def drop(connection: Connection, id: str) -> bool:
    """Forget a dead notification that reached nobody; False: it is not dead, or it did reach some."""
    found = connection.execute(sa.delete(notifications).where(n.id == id, n.state == DEAD, n.reached == 0))
    return found.rowcount == 1


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: for the metrics and for `readyz`."""

    waiting: int
    dead: int
    oldest: datetime | None
    scheduled: int
    overdue: float  # seconds since the next scheduled one was due; 0: it is not due yet


def backlog(connection: Connection) -> Backlog:
    """Count what waits, what is dead and what is scheduled (the counts use partial indexes)."""
    waiting, oldest = connection.execute(
        sa.select(sa.func.count(), sa.func.min(n.accepted_at)).where(n.state == ACCEPTED)
    ).one()
    gone = connection.scalar(sa.select(sa.func.count()).where(n.state == DEAD)) or 0
    later = connection.scalar(sa.select(sa.func.count()).where(n.state == SCHEDULED)) or 0
    ahead = due(connection).due if later else None
    return Backlog(waiting, gone, oldest, later, max(0.0, -(ahead or 0.0)))
