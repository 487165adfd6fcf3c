"""The audience of a waiting notification; it is kept until the last recipient is handled."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import notifications
from notifier.outbox.dialect import POSTGRESQL


def holds(connection: Connection, user_id: str, audience: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that an audience, which may be NULL, holds a user."""
    if connection.dialect.name == POSTGRESQL:
        one = sa.literal([user_id], notifications.c.audience.type)
        return sa.func.coalesce(audience.op("@>")(one), sa.false())
    each = sa.func.json_each(sa.type_coerce(audience, sa.Text)).table_valued("value")
    return sa.exists(sa.select(sa.literal_column("1")).select_from(each).where(each.c.value == user_id))
