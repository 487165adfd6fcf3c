"""Write into users' logs that a notification was withdrawn or updated.

The notification's row has it already, and every reader joins that row. Each delivery has a mark whether its
entry is written (`hidden`, `version`), so that no entry is written twice. A step locks inboxes, never a
notification.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import removal
from models.store.log import change_entry
from models.store.visible import REMOVABLE
from models.tables import deliveries, notifications, owed
from notifier.core.log import UPDATED, Entry, Why
from notifier.core.states import EXPIRED, WITHDRAWN
from notifier.outbox.dialect import Rows
from notifier.outbox.types import UuidText

n, d = notifications.c, deliveries.c

_USERS = Rows("users", user_id=sa.Text)
_ID = sa.bindparam("its_id", type_=UuidText())
_LIMIT = sa.bindparam("at_most", type_=sa.Integer())
_VERSION = sa.bindparam("its_version", type_=sa.Integer())


@dataclass(frozen=True, slots=True)
class Untold:
    """A notification whose recipients' logs still lack an entry.

    Attributes:
        id: its id.
        number: its number.
        state: its state; one of WITHDRAWN: its entries go.
        version: else the version of its data.
        data: else its data.
    """

    id: str
    number: int
    state: str
    version: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What one transaction wrote.

    Attributes:
        entries: (user id, log entry), to be published once it is committed.
        busy: users whose inbox is locked, to be tried again.
        last: the last user handled; None: there are no more.
    """

    entries: Sequence[tuple[str, Entry]] = ()
    busy: Collection[str] = frozenset()
    last: str | None = None


_SOME = (
    sa.select(n.id, n.number, n.state, sa.func.coalesce(n.version, 1), n.data)
    .where(n.untold.is_not(None))
    .order_by(n.number)
    .limit(_LIMIT)
)
_HOLDERS = (
    sa.select(d.user_id)
    .where(
        d.notification_id == _ID,
        d.user_id > sa.bindparam("after"),
        d.inbox,
        REMOVABLE,
        sa.func.coalesce(d.version, 1) < _VERSION,
    )
    .order_by(d.user_id)
    .limit(_LIMIT)
)


@cache
def _still(dialect: str) -> sa.Select[Any]:
    named = sa.select(_USERS.table(dialect).c.user_id)
    return sa.select(d.user_id).where(
        d.notification_id == _ID, d.user_id.in_(named), REMOVABLE, sa.func.coalesce(d.version, 1) < _VERSION
    )


@cache
def _mark(dialect: str) -> sa.Update:
    named = sa.select(_USERS.table(dialect).c.user_id)
    return (
        sa.update(deliveries).where(d.notification_id == _ID, d.user_id.in_(named)).values(version=_VERSION)
    )


def some(connection: Connection, limit: int) -> list[Untold]:
    """Return notifications whose recipients' logs still lack an entry, the oldest first."""
    return [Untold(*row) for row in connection.execute(_SOME, {"at_most": limit})]


def find(connection: Connection, id: str) -> Untold | None:
    """Return that notification; None: all logs have the entry."""
    query = sa.select(n.id, n.number, n.state, sa.func.coalesce(n.version, 1), n.data)
    row = connection.execute(query.where(n.id == id, n.untold.is_not(None))).first()
    return Untold(*row) if row else None


def tell(connection: Connection, what: Untold, *, after: str, limit: int, now: datetime) -> Told:
    """Write the entry for up to `limit` recipients after the user `after`, in the order of their ids."""
    if what.state in WITHDRAWN:
        users = removal.holders(connection, what.id, limit=limit, after=after)
        why = Why.EXPIRED if what.state == EXPIRED else Why.RETRACTED
        removed = removal.remove(connection, what.id, users, why, now=now)
        return Told(removed.entries, removed.busy, users[-1] if len(users) == limit else None)
    asked = {"its_id": what.id, "after": after, "its_version": what.version, "at_most": limit}
    users = list(connection.scalars(_HOLDERS, asked))
    entries, busy = _update(connection, what, users, now) if users else ([], frozenset())
    return Told(entries, busy, users[-1] if len(users) == limit else None)


def _update(
    connection: Connection, what: Untold, users: Sequence[str], now: datetime
) -> tuple[list[tuple[str, Entry]], frozenset[str]]:
    heads = removal.lock(connection, users, now=now)
    busy = frozenset(users) - heads.keys()
    if not heads:
        return [], busy
    named = _USERS.parameters(connection, [{"user_id": user} for user in sorted(heads)])
    asked = {"its_id": what.id, "its_version": what.version, **named}
    # Under the lock: another worker may have written some of them.
    left = sorted(connection.scalars(_still(connection.dialect.name), asked))
    data = {"ids": [what.id], "version": what.version}
    entries = []
    for user in left:
        heads[user][0] += 1
        seq, unread = heads[user]
        entries.append((user, change_entry(seq, UPDATED, data, unread, now)))
    if entries:
        connection.execute(_mark(connection.dialect.name), asked)
        removal.append(connection, entries, now=now)  # without the data: it is joined when it is read
        removal.advance_to(connection, {user: heads[user] for user in left})
    shown = {**data, "data": what.data}
    return [(user, replace(entry, data=shown)) for user, entry in entries], busy


def all_told(connection: Connection, what: Untold) -> None:
    """Note that every log has the entry, unless the notification has changed again meanwhile."""
    if what.state in WITHDRAWN:
        connection.execute(sa.delete(owed).where(owed.c.number == what.number))
    same = (n.number == what.number, n.state == what.state, sa.func.coalesce(n.version, 1) == what.version)
    connection.execute(sa.update(notifications).where(*same).values(untold=None))
