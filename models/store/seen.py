"""The number of unread entries that were not on the user's screen yet.

`inboxes.seen` is a watermark, which does not mean read.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.visible import VISIBLE
from models.tables import deliveries
from notifier.core.log import MAX_UNSEEN
from notifier.outbox.dialect import Rows
from notifier.outbox.types import AnyRow

d = deliveries.c

_ASKED = Rows("asked", user_id=sa.Text, seen=sa.BigInteger, read_through=sa.BigInteger, beyond=sa.BigInteger)


@cache
def _unseen(dialect: str) -> sa.Select[Any]:
    asked = _ASKED.table(dialect)
    unread = (d.user_id == asked.c.user_id, d.read_at.is_(None), VISIBLE)

    def count(*more: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
        some = sa.select(d.seq).where(*unread, *more).limit(MAX_UNSEEN).correlate(asked).subquery()
        return sa.select(sa.func.count()).select_from(some).scalar_subquery()

    fresh = count(d.inbox, d.seq > asked.c.beyond)
    kept = count(d.kept_unread, d.seq > asked.c.seen, d.seq <= asked.c.read_through)
    return sa.select(asked.c.user_id, fresh + kept)


def unseen_of(connection: Connection, heads: Iterable[AnyRow]) -> dict[str, int]:
    """Return for each inbox row how many unread entries are beyond what was seen, MAX_UNSEEN at most.

    Queries only for users who have seen something, but not everything.
    """
    found: dict[str, int] = {}
    asked: list[dict[str, Any]] = []
    for row in heads:
        if row.seen == 0 or row.unread == 0:
            found[row.user_id] = min(row.unread, MAX_UNSEEN)
        elif row.seen >= row.seq:
            found[row.user_id] = 0
        else:
            beyond = max(row.seen, row.read_through)
            asked.append(
                {"user_id": row.user_id, "seen": row.seen, "read_through": row.read_through, "beyond": beyond}
            )
    if asked:
        counted = connection.execute(_unseen(connection.dialect.name), _ASKED.parameters(connection, asked))
        found |= {user_id: min(count, MAX_UNSEEN) for user_id, count in counted}
    return found
