"""Which installation a database belongs to: a random id in a table of one row, made by a migration.

It distinguishes databases when URLs cannot: a server may have several names.
"""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.outbox.tables import installation


@sa.event.listens_for(installation, "after_create")
def _number_it(table: sa.Table, connection: Connection, **_: Any) -> None:
    """Fill the table when it is created without a migration, as in tests."""
    connection.execute(table.insert().values(id=str(uuid.uuid4())))


def installation_id(connection: Connection) -> str | None:
    """Return a database's installation id; None: it has none of our tables, or not all."""
    if not sa.inspect(connection).has_table(installation.name):
        return None  # checked first: a failed statement would abort the caller's transaction
    found: str | None = connection.scalar(sa.select(installation.c.id))
    return found
