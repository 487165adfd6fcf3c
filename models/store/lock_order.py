"""The order in which deliveries are locked, so that nobody waits for another in a circle: by user id and seq.

Who changes several of them holds their users' inboxes, but an ack does not. PostgreSQL's UPDATE locks rows in
the order in which its plan finds them, which may be that of the disk.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from models.tables import deliveries
from notifier.outbox.dialect import POSTGRESQL

d = deliveries.c


def update_in_order(
    dialect: str, where: sa.ColumnElement[bool], *beside: sa.ColumnElement[Any]
) -> tuple[sa.Update, Mapping[str, sa.ColumnElement[Any]]]:
    """Return an UPDATE of the deliveries for which a condition holds, and columns for its values.

    Args:
        dialect: "postgresql", or "sqlite", where the one writer has locked everything.
        where: the condition, which may name other tables.
        beside: columns of those tables that the values need.
    """
    if dialect != POSTGRESQL:
        return sa.update(deliveries).where(where), {str(column.key): column for column in beside}
    order = (sa.collate(d.user_id, "C"), d.seq)
    wanted = sa.select(d.user_id, d.seq, *beside).where(where).order_by(*order)
    locked = wanted.with_for_update(of=deliveries, key_share=True).cte("locked")
    update = sa.update(deliveries).where(d.user_id == locked.c.user_id, d.seq == locked.c.seq)
    return update, {name: locked.c[name] for name in (str(column.key) for column in beside)}
