"""The one clock: the database's. What is old is old by it, whichever machine asks."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.outbox.types import UtcDateTime


def present(connection: Connection) -> datetime:
    """Return the database's present, in UTC."""
    moment: sa.ColumnElement[datetime]
    if connection.dialect.name == "postgresql":
        moment = sa.type_coerce(sa.func.clock_timestamp(), UtcDateTime)
    else:
        moment = sa.type_coerce(sa.func.strftime("%Y-%m-%d %H:%M:%f000", "now"), UtcDateTime)
    return connection.execute(sa.select(moment)).scalar_one()
