"""Expiry: notifications whose time is over, by the database's clock.

The row is marked first, and from then on readers do not get its body. The recipients' logs get their entries
after that, in transactions that lock no notification (`untold`).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import EXPIRED, notifications, owed
from notifier.outbox import clock
from notifier.outbox.dialect import Rows

n = notifications.c

_NUMBERS = Rows("numbers", number=sa.BigInteger)
#: The same text as the index's condition.
EXPIRING = sa.text("expires_at IS NOT NULL AND state IN ('scheduled', 'accepted', 'dispatched')")


@cache
def _overdue(dialect: str) -> sa.Select[Any]:
    query = sa.select(n.number).where(EXPIRING, n.expires_at <= clock.expression(dialect))
    most = sa.bindparam("at_most", type_=sa.Integer())
    return query.order_by(n.expires_at).limit(most).with_for_update(skip_locked=True)


@cache
def _mark(dialect: str) -> sa.Update:
    named = sa.select(_NUMBERS.table(dialect).c.number)
    return (
        sa.update(notifications)
        .where(n.number.in_(named))
        .values(
            state=EXPIRED,
            ended_at=clock.expression(dialect),
            audience=None,
            next_attempt_at=None,
            untold=sa.case((sa.and_(n.reached > n.purged, n.inbox), sa.true())),
        )
    )


def expire(connection: Connection, limit: int) -> int:
    """Mark up to `limit` notifications whose time is over; return how many.

    A locked one is passed over, and left to the next call.
    """
    numbers = list(connection.scalars(_overdue(connection.dialect.name), {"at_most": limit}))
    if numbers:
        mark(connection, numbers)
    return len(numbers)


def mark(connection: Connection, numbers: Sequence[int]) -> None:
    """Mark notifications as expired; their rows are locked."""
    rows = _NUMBERS.parameters(connection, [{"number": number} for number in numbers])
    connection.execute(_mark(connection.dialect.name), rows)
    connection.execute(sa.delete(owed).where(owed.c.number.in_(numbers)))
