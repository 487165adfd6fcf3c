"""Return snoozed entries to the inbox, at their time or on the user's request.

The entry moves. Its arrival takes the next seq of the user's log, unread; its old place in the log becomes
`inbox.moved`. A retracted or expired entry does not return.

Lock order: inboxes by user id, then their deliveries. No notification is locked.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import removal
from models.store.inbox import Changed, base_of
from models.store.inbox_heads import inbox_row
from models.store.lock_order import update_in_order
from models.store.visible import SNOOZED, STANDING
from models.tables import changes, deliveries, notifications
from notifier.core.log import MOVED, Entry
from notifier.outbox import clock
from notifier.outbox.dialect import Insertion, Rows
from notifier.outbox.types import AnyRow, UtcDateTime, milliseconds

d, n = deliveries.c, notifications.c

_COLUMNS = (
    d.user_id, d.seq, d.unread, d.persisted_at, d.notification_id, d.collapsed,
    n.event, n.sender, n.accepted_at, n.data, n.category, n.version,
)  # fmt: skip
_SNOOZED_ENTRIES = (
    sa.select(*_COLUMNS)
    .join_from(deliveries, notifications, d.notification_id == n.id)
    .where(SNOOZED, STANDING)
)

_USERS = Rows("users", user_id=sa.Text)
_MOVES = Rows("moves", user_id=sa.Text, seq=sa.BigInteger, new=sa.BigInteger, unread=sa.BigInteger)
_PLACE = Insertion(changes, ("user_id", "seq", "event", "data", "unread", "at"))
_LIMIT = sa.bindparam("at_most", type_=sa.Integer())


def next_due(connection: Connection) -> float | None:
    """Return the seconds until the next snoozed entry is due, or since; None: there is none."""
    first, present = connection.execute(_next(connection.dialect.name)).one()
    return None if first is None else (first - present).total_seconds()


@cache
def _next(dialect: str) -> sa.Select[Any]:
    first: sa.ScalarSelect[Any] = (
        sa.select(d.until).where(SNOOZED).order_by(d.until).limit(1).scalar_subquery()
    )
    return sa.select(first, clock.expression(dialect))


@cache
def _whose(dialect: str) -> sa.Select[Any]:
    due = sa.select(d.user_id).where(SNOOZED, d.until <= clock.expression(dialect))
    first = due.order_by(d.until, d.user_id).limit(_LIMIT).subquery()
    return sa.select(first.c.user_id).distinct()


def whose(connection: Connection, limit: int) -> list[str]:
    """Return the users of the `limit` snoozed entries that are due first."""
    return sorted(connection.scalars(_whose(connection.dialect.name), {"at_most": limit}))


@cache
def _due_of(dialect: str) -> sa.Select[Any]:
    named = sa.select(_USERS.table(dialect).c.user_id)
    due = _SNOOZED_ENTRIES.where(d.user_id.in_(named), d.until <= clock.expression(dialect))
    return due.order_by(d.until, d.user_id, d.seq).limit(_LIMIT)


def bring_back(
    connection: Connection, users: Collection[str], *, limit: int, now: datetime
) -> list[tuple[str, Entry]]:
    """Move up to `limit` entries of these users that are due to the ends of their logs; return the arrivals.

    Users whose inbox is locked are passed over, and left to the next call. The entries of a user return in
    the order of their times, then of their arrivals.
    """
    heads = removal.lock(connection, users, now=now)
    asked = _USERS.parameters(connection, [{"user_id": user} for user in sorted(heads)])
    rows = connection.execute(_due_of(connection.dialect.name), {**asked, "at_most": limit}).all()
    return _move(connection, rows, heads, now)


def unsnooze(connection: Connection, user_id: str, ids: Iterable[str], *, now: datetime) -> Changed:
    """Return the snoozed ones of a user's entries `ids` at once; each is a log entry."""
    row = inbox_row(connection, user_id, lock=True)
    base = base_of(connection, row, now)
    if row is None:
        return Changed(base, 0)
    heads = {user_id: [max(row.seq, base), row.unread]}
    found = connection.execute(
        _SNOOZED_ENTRIES.where(d.user_id == user_id, d.notification_id.in_(set(ids)))
    ).all()
    moved = _move(connection, sorted(found, key=lambda one: one.seq), heads, now)
    seq, unread = heads[user_id]
    return Changed(seq, unread, [entry for _, entry in moved], [str(entry.id) for _, entry in moved])


def _move(
    connection: Connection, rows: Sequence[AnyRow], heads: dict[str, list[int]], now: datetime
) -> list[tuple[str, Entry]]:
    """Move these entries of locked inboxes, in their order; `heads` is advanced."""
    if not rows:
        return []
    arrivals: list[tuple[str, Entry]] = []
    places: list[dict[str, Any]] = []
    moves: list[dict[str, Any]] = []
    for row in rows:
        head = heads[row.user_id]
        head[0] += 1
        head[1] += 1
        seq, unread = head
        # As old as the arrival that was there: a purge sees the log's order of ages.
        places.append(
            {
                "user_id": row.user_id,
                "seq": row.seq,
                "event": MOVED,
                "data": {"ids": [row.notification_id]},
                "unread": row.unread,
                "at": row.persisted_at,
            }
        )
        moves.append({"user_id": row.user_id, "seq": row.seq, "new": seq, "unread": unread})
        arrivals.append(
            (
                row.user_id,
                Entry(
                    seq, row.event, row.notification_id, row.sender, milliseconds(row.accepted_at), row.data,
                    unread, collapsed=row.collapsed, returned=True,
                    category=row.category, version=row.version,
                ),
            )
        )  # fmt: skip
    connection.execute(
        _relocate(connection.dialect.name), {**_MOVES.parameters(connection, moves), "present": now}
    )
    _PLACE.execute(connection, places)
    removal.advance_to(connection, {row.user_id: heads[row.user_id] for row in rows})
    return arrivals


@cache
def _relocate(dialect: str) -> sa.Update:
    to = _MOVES.table(dialect).c
    named = sa.and_(d.user_id == to.user_id, d.seq == to.seq)
    update, beside = update_in_order(dialect, named, to.new, to.unread)
    return update.values(
        seq=beside["new"],
        unread=beside["unread"],
        hidden=None,
        until=None,
        returned_at=sa.bindparam("present", type_=UtcDateTime),
        read_at=None,
        kept_unread=False,
    )
