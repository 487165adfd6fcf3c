"""Everything stored about a user, from one consistent snapshot, row by row.

Which rows are a user's say the rules of erasure (`models.erasure_rules`). Of a notification everything is
given but its audience, which names others, and the data of one that is withdrawn, which nobody may read.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.erasure_rules import OWNED
from models.store.erase import left
from models.store.erase_steps import waiting_for
from models.tables import deliveries, metadata, notifications, owed, suppressed
from notifier.core.states import WITHDRAWN

BATCH = 500  # rows fetched at once
WITHHELD = ("audience",)

n = notifications.c


def known(connection: Connection, user_id: str) -> bool:
    """Return whether anything is stored about a user."""
    return bool(left(connection, user_id))


def rows(connection: Connection, user_id: str) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Yield each section of the export with its rows."""
    for name in OWNED:
        table = metadata.tables[name]
        mine = sa.select(table).where(table.c.user_id == user_id).order_by(*table.primary_key.columns)
        yield name.removeprefix("notifier_"), _stream(connection, mine)
    columns = [
        sa.case((n.state.not_in(WITHDRAWN), column)).label(column.name) if column.name == "data" else column
        for column in n
        if column.name not in WITHHELD
    ]
    ids = [
        sa.select(deliveries.c.notification_id).where(deliveries.c.user_id == user_id),
        sa.select(suppressed.c.notification_id).where(suppressed.c.user_id == user_id),
        sa.select(n.id).join(owed, owed.c.number == n.number).where(owed.c.user_id == user_id),
        *(sa.select(n.id).where(condition) for condition in waiting_for(connection, user_id)),
    ]
    mine = sa.select(*columns).where(n.id.in_(sa.union(*ids))).order_by(n.number)
    yield "notifications", _stream(connection, mine)


def _stream(connection: Connection, query: sa.Select[Any]) -> Iterator[dict[str, Any]]:
    found = connection.execution_options(yield_per=BATCH).execute(query).mappings()
    return ({str(name): value for name, value in row.items()} for row in found)
