"""What a change by an application means for rows of channels. The service's part is `models.store.reach`."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.core.reach import QUIET, State
from notifier.outbox import clock
from notifier.outbox.tables import reach

r = reach.c


def reconsider(connection: Connection, user_id: str) -> None:
    """Decide a user's waiting rows again now, after a change of preferences, time zone or quiet hours.

    A row that waits for its next attempt keeps its time.
    """
    connection.execute(
        sa.update(reach)
        .where(
            r.user_id == user_id,
            r.state == State.WAITING,
            sa.or_(r.attempts == 0, r.reason == QUIET),
        )
        .values(next_at=clock.expression(connection.dialect.name))
    )


def in_flight(connection: Connection, notification_id: str) -> int:
    """Return how many rows of a notification are with a provider now."""
    found = connection.scalar(
        sa.select(sa.func.count()).where(r.notification_id == notification_id, r.state == State.SENDING)
    )
    return found or 0
