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
from models.store.lock_order import update_in_order
from models.store.log import change_entry
from models.store.pages import READ_AT
from models.store.visible import REMOVABLE
from models.tables import deliveries, notifications, owed
from notifier.core.log import ARCHIVED, UPDATED, Entry, Why
from notifier.core.states import EXPIRED, WITHDRAWN
from notifier.outbox.dialect import Rows
from notifier.outbox.types import AnyRow, UuidText

n, d = notifications.c, deliveries.c

_USERS = Rows("users", user_id=sa.Text)
_IDS = Rows("ids", id=UuidText)
_NUMBERS = Rows("told", number=sa.BigInteger, state=sa.Text, version=sa.BigInteger)
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
        reached: how many recipients have it.
    """

    id: str
    number: int
    state: str
    version: int
    data: dict[str, Any]
    reached: int

    @property
    def why(self) -> Why | None:
        """Why its entries go; None: they stay."""
        if self.state not in WITHDRAWN:
            return None
        return Why.EXPIRED if self.state == EXPIRED else Why.RETRACTED


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
    sa.select(n.id, n.number, n.state, sa.func.coalesce(n.version, 1), n.data, n.reached)
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
    update, _ = update_in_order(dialect, sa.and_(d.notification_id == _ID, d.user_id.in_(named)))
    return update.values(version=_VERSION)


def some(connection: Connection, limit: int) -> list[Untold]:
    """Return notifications whose recipients' logs still lack an entry, the oldest first."""
    return [Untold(*row) for row in connection.execute(_SOME, {"at_most": limit})]


def find(connection: Connection, id: str) -> Untold | None:
    """Return that notification; None: all logs have the entry."""
    query = sa.select(n.id, n.number, n.state, sa.func.coalesce(n.version, 1), n.data, n.reached)
    row = connection.execute(query.where(n.id == id, n.untold.is_not(None))).first()
    return Untold(*row) if row else None


def tell(connection: Connection, what: Untold, *, after: str, limit: int, now: datetime) -> Told:
    """Write the entry for up to `limit` recipients after the user `after`, in the order of their ids."""
    if what.why is not None:
        users = removal.holders(connection, what.id, limit=limit, after=after)
        removed = removal.remove(connection, what.id, users, what.why, now=now)
        return Told(removed.entries, removed.busy, users[-1] if len(users) == limit else None)
    asked = {"its_id": what.id, "after": after, "its_version": what.version, "at_most": limit}
    users = list(connection.scalars(_HOLDERS, asked))
    entries, busy = _update(connection, what, users, now) if users else ([], frozenset())
    return Told(entries, busy, users[-1] if len(users) == limit else None)


def tell_together(connection: Connection, whats: Sequence[Untold], *, now: datetime) -> Told:
    """Take the entries of several withdrawn notifications out of inboxes: an entry for each user and reason.

    For many that end in one moment, each with few recipients: ten thousand transactions would take too long.
    """
    reasons = {what.id: what.why for what in whats if what.why is not None}
    named = _IDS.parameters(connection, [{"id": id} for id in sorted(reasons)])
    dialect = connection.dialect.name
    users = set(connection.scalars(_users_of(dialect), named))
    heads = removal.lock(connection, users, now=now) if users else {}
    # Under the lock: another worker may have told some of them.
    found = connection.execute(_entries_of(dialect), named).all() if heads else ()
    rows = sorted((row for row in found if row.user_id in heads), key=lambda row: (row.user_id, row.seq))
    together: dict[tuple[str, Why], list[AnyRow]] = {}
    for row in rows:
        together.setdefault((row.user_id, reasons[row.notification_id]), []).append(row)
    entries = []
    for (user, why), gone in together.items():
        head = heads[user]
        head[0] += 1
        head[1] -= sum(removal.counts(row) for row in gone)
        data = {"ids": [row.notification_id for row in gone], "why": why.value}
        entries.append((user, change_entry(head[0], ARCHIVED, data, head[1], now)))
    if entries:
        removal.mark(connection, [(row, reasons[row.notification_id]) for row in rows])
        removal.append(connection, entries, now=now)
        removal.advance_to(connection, {user: heads[user] for user, _ in entries})
    return Told(entries, frozenset(users) - heads.keys())


@cache
def _users_of(dialect: str) -> sa.Select[Any]:
    named = sa.select(_IDS.table(dialect).c.id)
    return sa.select(d.user_id).where(d.notification_id.in_(named), d.inbox, REMOVABLE)


@cache
def _entries_of(dialect: str) -> sa.Select[Any]:
    named = sa.select(_IDS.table(dialect).c.id)
    columns = (d.user_id, d.seq, d.notification_id, d.hidden, READ_AT.label("read"))
    return sa.select(*columns).where(d.notification_id.in_(named), d.inbox, REMOVABLE)


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


def all_told(connection: Connection, whats: Sequence[Untold]) -> None:
    """Note that every log has the entry, but of a notification that has changed again meanwhile."""
    over = [what.number for what in whats if what.why is not None]
    if over:
        connection.execute(sa.delete(owed).where(owed.c.number.in_(over)))
    told = [
        {"number": what.number, "state": what.state, "version": what.version}
        for what in sorted(whats, key=lambda what: what.number)
    ]
    connection.execute(_all_told(connection.dialect.name), _NUMBERS.parameters(connection, told))


@cache
def _all_told(dialect: str) -> sa.Update:
    told = _NUMBERS.table(dialect)
    same = (
        n.number == told.c.number,
        n.state == told.c.state,
        sa.func.coalesce(n.version, 1) == told.c.version,
    )
    return sa.update(notifications).where(*same).values(untold=None)
