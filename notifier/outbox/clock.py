"""The database's clock, with which all ages and due times are compared."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.outbox.dialect import POSTGRESQL
from notifier.outbox.types import UtcDateTime


def expression(dialect: str) -> sa.ColumnElement[datetime]:
    """Return an expression for the database's time in UTC, to compare with a time in a statement."""
    if dialect == POSTGRESQL:
        # A subquery: asked once in the statement, so that an index's condition can hold it. The volatile
        # function itself is a filter: every later row of the index is read as well.
        return sa.select(sa.type_coerce(sa.func.clock_timestamp(), UtcDateTime)).scalar_subquery()
    return sa.type_coerce(sa.func.strftime("%Y-%m-%d %H:%M:%f000", "now"), UtcDateTime)


def present(connection: Connection) -> datetime:
    """Return the database's time, in UTC."""
    return connection.execute(sa.select(expression(connection.dialect.name))).scalar_one()
