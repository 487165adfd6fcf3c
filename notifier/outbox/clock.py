"""The one clock: the database's. What is old is old by it, whichever machine asks."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.outbox.dialect import POSTGRESQL
from notifier.outbox.types import UtcDateTime


def expression(dialect: str) -> sa.ColumnElement[datetime]:
    """Return the database's present in UTC, to be compared with a time in a statement."""
    if dialect == POSTGRESQL:
        return sa.type_coerce(sa.func.clock_timestamp(), UtcDateTime)
    return sa.type_coerce(sa.func.strftime("%Y-%m-%d %H:%M:%f000", "now"), UtcDateTime)


def present(connection: Connection) -> datetime:
    """Return the database's present, in UTC."""
    return connection.execute(sa.select(expression(connection.dialect.name))).scalar_one()
