"""The recipients of one notification, in pages by user id, all or those in one state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.keyset import Cursor, Key, page
from models.store.pages import READ_AT
from models.tables import deliveries, suppressed
from notifier.outbox.types import AnyRow

d, u = deliveries.c, suppressed.c

_HAD = sa.or_(d.delivered_at.is_not(None), READ_AT.is_not(None))
#: What a page can be about, as it is called in an address and on the page.
STATES = {
    "not-delivered": "Not delivered",
    "delivered": "Delivered",
    "read": "Read",
    "switched-off": "Switched off",
}
_FILTERS = {
    "": sa.true(),
    "not-delivered": sa.not_(_HAD),
    "delivered": _HAD,
    "read": READ_AT.is_not(None),
}


@dataclass(frozen=True, slots=True)
class RecipientPage:
    """A page of recipients.

    Attributes:
        rows: (user_id, persisted_at, delivered_at, read_at, archived_at, hidden), ordered by user id; of
            those who had switched it off: (user_id, since, at).
        total: how many there are in all pages.
        previous, next: the user ids before and after which others follow; None: there are none.
    """

    rows: Sequence[AnyRow]
    total: int
    previous: str | None
    next: str | None


def recipients_of(
    connection: Connection,
    id: str,
    state: str = "",
    *,
    limit: int,
    after: str | None = None,
    before: str | None = None,
) -> RecipientPage:
    """Return a page of a notification's recipients whose copy is kept.

    Args:
        connection: a connection.
        id: the notification.
        state: one of STATES; empty: all that have it in the inbox.
        limit: rows of the page.
        after: the user id after which the page begins.
        before: the user id before which it ends.
    """
    off = state == "switched-off"
    query = _switched_off(id) if off else _having(id, _FILTERS[state])
    key = u.user_id if off else d.user_id
    total = connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
    cursor = None
    if after is not None or before is not None:
        cursor = Cursor((before if after is None else after,), back=after is None)
    found = page(connection, query, [Key("user_id", key)], limit, cursor)
    return RecipientPage(found.rows, total, _user_of(found.previous), _user_of(found.next))


def _user_of(cursor: Cursor | None) -> str | None:
    return None if cursor is None else cursor.values[0]


def _switched_off(id: str) -> sa.Select[Any]:
    return sa.select(u.user_id, u.since, u.at).where(u.notification_id == id)


def _having(id: str, filtered: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(
        d.user_id, d.persisted_at, sa.func.coalesce(d.delivered_at, READ_AT).label("delivered_at"),
        READ_AT.label("read_at"), d.archived_at, d.hidden,
    ).where(d.notification_id == id, filtered)  # fmt: skip
