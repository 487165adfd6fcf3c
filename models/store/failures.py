"""Handle a failed dispatch: try the notification again later, or give it up."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import ACCEPTED, DEAD, notifications

ERROR_LENGTH = 2_000  # characters kept of a row's error

n = notifications.c


def postpone(
    connection: Connection, key: int | str, error: str, *, now: datetime, delay: timedelta, max_attempts: int
) -> str:
    """Store a failed row's error; schedule another attempt after `delay` or give it up; return its state.

    `key` is the number of a single notification or the id of a bulk one.
    """
    which = n.number == key if isinstance(key, int) else n.id == key
    row = connection.execute(sa.select(n.number, n.attempts, n.state).where(which).with_for_update()).first()
    if row is None or row.state != ACCEPTED:
        return row.state if row else DEAD
    attempts = row.attempts + 1
    state = DEAD if attempts >= max_attempts else ACCEPTED
    connection.execute(
        sa.update(notifications)
        .where(n.number == row.number)
        .values(
            attempts=attempts,
            state=state,
            error=error[:ERROR_LENGTH],
            next_attempt_at=now + delay if state == ACCEPTED else None,
        )
    )
    return state


def failing(connection: Connection, key: int | str) -> tuple[str, int]:
    """Return a row's id, and how often it has failed so far; `key` as in `postpone`."""
    which = n.number == key if isinstance(key, int) else n.id == key
    row = connection.execute(sa.select(n.id, n.attempts).where(which)).first()
    return (row.id, row.attempts) if row else (str(key), 0)
