"""Scheduled notifications: rows with a time, accepted when the database's clock reaches it."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.expiry import EXPIRING
from models.tables import ACCEPTED, SCHEDULED, notifications
from notifier.outbox import clock
from notifier.outbox.dialect import POSTGRESQL, Rows

n = notifications.c

_SCHEDULED = n.state == sa.literal_column(f"'{SCHEDULED}'")
_MOVED = Rows("moved", number=sa.BigInteger, new=sa.BigInteger)
_LIMIT = sa.bindparam("at_most", type_=sa.Integer())


@dataclass(frozen=True, slots=True)
class Due:
    """What is due, and when.

    Attributes:
        due: seconds until the next scheduled notification is due, or since; None: there is none.
        expiring: the same for the next one that expires.
        untold: whether logs still lack an entry for a notification's end or its newest version.
    """

    due: float | None
    expiring: float | None
    untold: bool


@cache
def _due(dialect: str) -> sa.Select[Any]:
    first = sa.select(sa.func.min(n.deliver_at)).where(_SCHEDULED)
    last = sa.select(sa.func.min(n.expires_at)).where(EXPIRING)
    untold = sa.exists(sa.select(n.number).where(n.untold.is_not(None)))
    return sa.select(first.scalar_subquery(), last.scalar_subquery(), untold, clock.expression(dialect))


def due(connection: Connection) -> Due:
    """Return what is due, and when the next will be, by three index lookups."""
    first, last, untold, present = connection.execute(_due(connection.dialect.name)).one()
    return Due(
        None if first is None else (first - present).total_seconds(),
        None if last is None else (last - present).total_seconds(),
        bool(untold),
    )


@cache
def _take(dialect: str) -> sa.Select[Any]:
    overdue = (_SCHEDULED, n.deliver_at <= clock.expression(dialect))
    query = sa.select(n.number, n.id, n.bulk, n.deliver_at).where(*overdue)
    return query.order_by(n.deliver_at).limit(_LIMIT).with_for_update(skip_locked=True)


@cache
def _accept(dialect: str) -> sa.Update:
    moved = _MOVED.table(dialect)
    return (
        sa.update(notifications)
        .where(n.number == moved.c.number)
        .values(number=moved.c.new, state=ACCEPTED, accepted_at=n.deliver_at)
    )


def take_up(connection: Connection, limit: int) -> list[tuple[str, bool]]:
    """Move up to `limit` due notifications from scheduled to accepted, the earliest first.

    Each gets a number after those accepted meanwhile, and counts as accepted when it was due.
    Returns (id, whether it is bulk) of each.
    """
    dialect = connection.dialect.name
    found = connection.execute(_take(dialect), {"at_most": limit}).all()
    rows = sorted(found, key=lambda row: (row.deliver_at, row.number))  # a sort in SQL would read them all
    if rows:
        pairs = zip(rows, _numbers(connection, len(rows)), strict=True)
        moved = [{"number": row.number, "new": new} for row, new in pairs]
        connection.execute(_accept(dialect), _MOVED.parameters(connection, moved))
    return [(row.id, row.bulk) for row in rows]


def _numbers(connection: Connection, how_many: int) -> list[int]:
    """Return the next numbers of notifications."""
    if connection.dialect.name == POSTGRESQL:
        sequence = sa.func.pg_get_serial_sequence(notifications.name, n.number.name)
        many = sa.func.generate_series(1, how_many).table_valued("one")
        return list(connection.scalars(sa.select(sa.func.nextval(sequence)).select_from(many)))
    highest = sa.text(
        "SELECT max(coalesce((SELECT max(number) FROM notifier_notifications), 0),"
        " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'notifier_notifications'), 0))"
    )
    last = connection.scalar(highest)
    return list(range(last + 1, last + 1 + how_many))
