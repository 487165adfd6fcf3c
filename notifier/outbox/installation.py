"""Which installation a database belongs to: a random id in a table of one row, made by a migration.

It tells two databases apart where URLs cannot: one server has many names, and a copy has the same one.
"""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.outbox.tables import installation


@sa.event.listens_for(installation, "after_create")
def _number_it(table: sa.Table, connection: Connection, **_: Any) -> None:
    """Fill the table when it is made without a migration, as tests do."""
    connection.execute(table.insert().values(id=str(uuid.uuid4())))


def installation_id(connection: Connection) -> str | None:
    """Return the installation that a database belongs to; None: it has none of our tables, or not all."""
    if not sa.inspect(connection).has_table(installation.name):
        return None  # asked first: a failed statement would spoil the caller's transaction
    found: str | None = connection.scalar(sa.select(installation.c.id))
    return found
