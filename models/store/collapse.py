"""Collapse: of one user's entries with the same sender and collapse key only the newest stays in the inbox.

It is part of the transaction of a dispatch with a key: under the locks of its inboxes, the older entry
leaves (`inbox.archived`, why `collapsed`), then the newer one arrives. At most one entry of a user has a
key's digest in `collapse`, in any state, so that the next one finds it by an index.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import removal
from models.store.log import change_entry
from models.store.pages import READ_AT
from models.store.visible import REMOVABLE
from models.tables import deliveries
from notifier.core.log import ARCHIVED, Entry, Why
from notifier.outbox.dialect import Rows
from notifier.outbox.types import AnyRow

d = deliveries.c

_KEYS = Rows("keys", user_id=sa.Text, collapse=sa.Text)


def digest(sender: str, key: str) -> str:
    """Return the digest of a sender's collapse key; keys of different senders differ."""
    return hashlib.sha256(f"{sender}\0{key}".encode(errors="surrogatepass")).hexdigest()[:32]


@dataclass(slots=True)
class Entrant:
    """The present entry of a key: an existing row, or one that this dispatch writes.

    Attributes:
        id: its notification.
        unread: whether it counts.
        stands_for: the number of unread entries in a row that it replaces.
        before: its row, if it existed before.
        written: its row, if this dispatch writes it.
    """

    id: str
    unread: bool
    stands_for: int
    before: AnyRow | None = None
    written: dict[str, Any] | None = None


@cache
def _found(dialect: str) -> sa.Select[Any]:
    keys = _KEYS.table(dialect)
    same = sa.and_(d.user_id == keys.c.user_id, d.collapse == keys.c.collapse)
    columns = (d.user_id, d.collapse, d.seq, d.notification_id, d.hidden, d.collapsed, READ_AT.label("read"))
    return sa.select(*columns).join_from(keys, deliveries, same).where(d.collapse.is_not(None), REMOVABLE)


class Collapse:
    """What one dispatch collapses.

    Args:
        connection: a writing transaction that has locked the inboxes.
        keys: (user id, digest) of the entries that it will write.
    """

    def __init__(self, connection: Connection, keys: Iterable[tuple[str, str]]) -> None:
        self._connection = connection
        asked = [{"user_id": user, "collapse": key} for user, key in sorted(set(keys))]
        found = connection.execute(_found(connection.dialect.name), _KEYS.parameters(connection, asked))
        self._entrants = {
            (row.user_id, row.collapse): Entrant(
                row.notification_id, removal.counts(row), row.collapsed or 1, before=row
            )
            for row in found
        }
        self._removed: list[AnyRow] = []
        self._told: list[tuple[str, Entry]] = []
        self._heads: dict[str, list[int]] = {}

    def arrives(
        self, user: str, key: str, row: dict[str, Any], head: list[int], by: str, now: datetime
    ) -> Entry | None:
        """Let the notification `by`, whose delivery is to be written as `row`, take over the key.

        Advances `head`, the user's [seq, unread], by the log entry of the older one's removal, which it
        returns; None: there is none. `row` gets `collapse` and `collapsed`.
        """
        older = self._entrants.get((user, key))
        row["collapse"] = key
        if older is not None:
            row["collapsed"] = older.stands_for + 1 if older.unread else 1
        self._entrants[user, key] = Entrant(by, True, row["collapsed"] or 1, written=row)
        if older is None:
            return None
        head[0] += 1
        head[1] -= older.unread
        if older.before is not None:
            self._removed.append(older.before)
        if older.written is not None:
            older.written |= {"hidden": Why.COLLAPSED.value, "kept_unread": True, "collapse": None}
        data = {"ids": [older.id], "why": Why.COLLAPSED.value, "by": by}
        entry = change_entry(head[0], ARCHIVED, data, head[1], now)
        self._told.append((user, entry))
        self._heads[user] = head
        return entry

    def write(self, now: datetime) -> None:
        """Write the removals, and the heads that they have advanced."""
        if self._removed:
            removal.mark(self._connection, [(row, Why.COLLAPSED) for row in self._removed])
        if self._told:
            removal.append(self._connection, self._told, now=now)
            removal.advance_to(self._connection, self._heads)


#: Additional columns of a delivery in a dispatch with a key.
COLUMNS: Sequence[str] = ("hidden", "kept_unread", "collapse", "collapsed")
NOTHING: dict[str, Any] = {"hidden": None, "kept_unread": False, "collapse": None, "collapsed": None}
