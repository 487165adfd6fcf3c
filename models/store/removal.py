"""Take a notification's entries out of inboxes: retracted, expired, or collapsed into a newer one.

Each removal is one log entry, `inbox.archived` with the reason, at the next seq of the user's log; the
count follows. The delivery is marked in the same transaction (`hidden`), so that it is not subtracted
twice; its delivered and read times never change again.

Lock order: inboxes by user id, then their deliveries. The caller may hold the notification's row, and no
other one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import log_base
from models.store.lock_order import update_in_order
from models.store.log import change_entry
from models.store.log_base import BASE
from models.store.pages import READ_AT
from models.store.visible import REMOVABLE
from models.tables import changes, deliveries, inboxes
from notifier.core.log import ARCHIVED, Entry, Why
from notifier.outbox.dialect import POSTGRESQL, Insertion, Rows
from notifier.outbox.types import AnyRow, UtcDateTime, UuidText

d, i = deliveries.c, inboxes.c

_USERS = Rows("users", user_id=sa.Text)
_HEADS = Rows("heads", user_id=sa.Text, seq=sa.BigInteger, unread=sa.BigInteger)
_MARKS = Rows("marks", user_id=sa.Text, seq=sa.BigInteger, why=sa.Text, read=UtcDateTime)
_CHANGE = Insertion(changes, ("user_id", "seq", "event", "data", "unread", "at"))
_ID = sa.bindparam("its_id", type_=UuidText())


@dataclass(frozen=True, slots=True)
class Removed:
    """What one transaction removed from inboxes.

    Attributes:
        entries: (user id, log entry), to be published once it is committed.
        busy: users whose inbox is locked, to be tried again.
    """

    entries: Sequence[tuple[str, Entry]] = ()
    busy: Collection[str] = frozenset()


def holders(connection: Connection, notification_id: str, *, limit: int, after: str = "") -> list[str]:
    """Return up to `limit` users after the user `after` who have a notification's entry, or snoozed it."""
    asked = {"its_id": notification_id, "after": after, "at_most": limit}
    return list(connection.scalars(_HOLDERS, asked))


_HOLDERS = (
    sa.select(d.user_id)
    .where(d.notification_id == _ID, d.user_id > sa.bindparam("after"), d.inbox, REMOVABLE)
    .order_by(d.user_id)
    .limit(sa.bindparam("at_most", type_=sa.Integer()))
)


def remove(
    connection: Connection, notification_id: str, users: Iterable[str], why: Why, *, now: datetime
) -> Removed:
    """Take a notification's entry out of the inboxes of `users`, wherever it is still there or snoozed.

    A user whose inbox is locked is passed over. On SQLite nobody is.

    Args:
        connection: a writing transaction, which holds no inbox yet.
        notification_id: which.
        users: some of its recipients, in any order; those without an entry of it are ignored.
        why: RETRACTED or EXPIRED.
        now: the present.
    """
    wanted = sorted(set(users))
    if not wanted:
        return Removed()
    heads = lock(connection, wanted, now=now)
    asked = {"its_id": notification_id, **_named(connection, wanted)}
    found = connection.execute(_entries_of(connection.dialect.name), asked).all()
    rows = sorted((row for row in found if row.user_id in heads), key=lambda row: row.user_id)
    data = {"ids": [notification_id], "why": why.value}
    taken: list[tuple[str, Entry]] = []
    for row in rows:
        head = heads[row.user_id]
        head[0] += 1
        head[1] -= counts(row)
        taken.append((row.user_id, change_entry(head[0], ARCHIVED, data, head[1], now)))
    if rows:
        mark(connection, [(row, why) for row in rows])
        append(connection, taken, now=now)
        advance_to(connection, {row.user_id: heads[row.user_id] for row in rows})
    return Removed(taken, frozenset(row.user_id for row in found) - heads.keys())


def counts(row: AnyRow) -> bool:
    """Whether a delivery's row (with `read`: when it was read) counts as unread."""
    return row.hidden is None and row.read is None


@cache
def _entries_of(dialect: str) -> sa.Select[Any]:
    named = sa.select(_USERS.table(dialect).c.user_id)
    columns = (d.user_id, d.seq, d.hidden, READ_AT.label("read"))
    return sa.select(*columns).where(d.notification_id == _ID, d.user_id.in_(named), d.inbox, REMOVABLE)


def _named(connection: Connection, users: Iterable[str]) -> dict[str, Any]:
    return _USERS.parameters(connection, [{"user_id": user} for user in sorted(users)])


@cache
def _lock(dialect: str) -> sa.Select[Any]:
    named = _USERS.table(dialect)
    query = sa.select(i.user_id, i.seq, i.unread, BASE).join(named, named.c.user_id == i.user_id)
    # In the order of their ids' characters, as everybody locks inboxes.
    by_id = sa.collate(i.user_id, "C") if dialect == POSTGRESQL else i.user_id
    return query.order_by(by_id).with_for_update(of=inboxes, skip_locked=True)


def lock(connection: Connection, users: Iterable[str], *, now: datetime) -> dict[str, list[int]]:
    """Lock the inboxes of users that are free; return [seq, unread] of each, from where its log continues."""
    rows = connection.execute(_lock(connection.dialect.name), _named(connection, users)).all()
    if not rows:
        return {}
    base = log_base.settle(connection, rows[0][3], now=now)
    return {user: [max(seq, base), unread] for user, seq, unread, _ in rows}


@cache
def _mark(dialect: str) -> sa.Update:
    marks = _MARKS.table(dialect).c
    named = sa.and_(d.user_id == marks.user_id, d.seq == marks.seq)
    update, beside = update_in_order(dialect, named, marks.why, marks.read)
    return update.values(
        hidden=beside["why"],
        until=None,
        collapse=None,
        # No watermark holds for it from now on.
        read_at=beside["read"],
        kept_unread=beside["read"].is_(None),
    )


def mark(connection: Connection, rows: Iterable[tuple[AnyRow, Why]]) -> None:
    """Note that entries (`user_id`, `seq`, `read`: when they were read) are out of their inboxes for good."""
    marks = [{"user_id": r.user_id, "seq": r.seq, "why": why.value, "read": r.read} for r, why in rows]
    connection.execute(_mark(connection.dialect.name), _MARKS.parameters(connection, marks))


def append(connection: Connection, entries: Sequence[tuple[str, Entry]], *, now: datetime) -> None:
    """Write changes of state into users' logs."""
    _CHANGE.execute(
        connection,
        [
            {
                "user_id": user,
                "seq": entry.seq,
                "event": entry.event,
                "data": entry.data,
                "unread": entry.unread,
                "at": now,
            }
            for user, entry in entries
        ],
    )


@cache
def _advance_to(dialect: str) -> sa.Update:
    to = _HEADS.table(dialect)
    return sa.update(inboxes).where(i.user_id == to.c.user_id).values(seq=to.c.seq, unread=to.c.unread)


def advance_to(connection: Connection, heads: Mapping[str, Sequence[int]]) -> None:
    """Set the [seq, unread] of locked inboxes."""
    rows = [{"user_id": user, "seq": seq, "unread": unread} for user, (seq, unread) in sorted(heads.items())]
    connection.execute(_advance_to(connection.dialect.name), _HEADS.parameters(connection, rows))
