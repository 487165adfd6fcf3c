"""Take the next seqs of inboxes, without waiting for an inbox that another transaction has locked.

Order is promised for each user, not between users. Usually all inboxes are free, and one statement takes
them, in the order of their ids' characters; it waits for a lock for MAX_WAIT_MS at most, then fails. The
*careful* way costs twice as much: it takes the free ones (SKIP LOCKED), and passes over the others and users
to whom something earlier is owed. An inbox that another transaction is creating has no row to skip, so it is
waited for, also for MAX_WAIT_MS. SQLite has one writer, which locks everything: there nobody is passed over.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from models.store import erased, log_base
from models.store.log_base import BASE
from models.tables import ACCEPTED, inboxes, notifications, owed
from notifier.outbox.dialect import POSTGRESQL, Insertion, Rows
from notifier.outbox.failures import Cause, cause
from notifier.outbox.types import AnyRow

MAX_WAIT_MS = 50  # milliseconds to wait for another transaction's lock

i, n = inboxes.c, notifications.c

_HEAD = (i.user_id, i.seq, i.unread, BASE.label("base"), erased.ANYBODY.label("erased"))
_COLUMNS = {"user_id": sa.Text, "seq": sa.BigInteger, "unread": sa.BigInteger}
_WANTED = Rows("wanted", **_COLUMNS)
_REBASED = Rows("rebased", user_id=sa.Text, seq=sa.BigInteger)


def _by_id(column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    return sa.collate(column, "C")


def _owes(user_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether something earlier is owed to the user, which must go first; failed ones do not count."""
    earlier: sa.Select[Any] = sa.select(sa.literal_column("1")).join_from(
        owed, notifications, n.number == owed.c.number
    )
    waits = (n.state == sa.literal_column(f"'{ACCEPTED}'"), n.next_attempt_at.is_(None))
    return earlier.where(owed.c.user_id == user_id, *waits).exists()


class SomethingOwed(Exception):
    """Raised when something is owed to a user, so that the careful way is needed."""


def _upsert(statement: Any) -> Any:
    return statement.on_conflict_do_update(
        index_elements=[i.user_id],
        set_={"seq": i.seq + statement.excluded.seq, "unread": i.unread + statement.excluded.unread},
    ).returning(*_HEAD, sa.exists(sa.select(owed.c.number)))


#: SQLite: all are free, existing or not.
_ADVANCE = Insertion(inboxes, ("user_id", "seq", "unread"), _upsert)


@cache
def _advance_all(*, one: bool) -> Any:
    """Advance inboxes, existing or not; the statement itself limits each wait to MAX_WAIT_MS."""
    setting = sa.func.set_config("lock_timeout", sa.literal_column(f"'{MAX_WAIT_MS}'"), sa.true())
    patience = sa.select(setting.label("set")).subquery("patience")
    if one:
        values = [sa.bindparam(name, type_=i[name].type).label(name) for name in _COLUMNS]
        rows = sa.select(*values).select_from(patience)
    else:
        wanted = _WANTED.table(POSTGRESQL)
        rows = sa.select(wanted).select_from(patience.join(wanted, sa.true()))
    return _upsert(sa.dialects.postgresql.insert(inboxes).from_select(list(_COLUMNS), rows))


@cache
def _advance_one(was_owed: bool) -> sa.UpdateBase:
    """Advance one inbox, unless it is locked. `was_owed`: also when something earlier is owed to its user."""
    free = sa.select(i.user_id).where(i.user_id == sa.bindparam("of_user"))
    if not was_owed:
        free = free.where(sa.not_(_owes(i.user_id)))
    found = free.with_for_update(skip_locked=True, key_share=True).cte("free")
    return (
        sa.update(inboxes)
        .where(i.user_id == found.c.user_id)
        .values(seq=i.seq + sa.bindparam("seqs"), unread=i.unread + sa.bindparam("more_unread"))
        .returning(*_HEAD)
    )


@cache
def _advance_many(was_owed: bool) -> sa.UpdateBase:
    """Advance the inboxes that are not locked, which it locks in the order of their ids' characters."""
    wanted = _WANTED.table(POSTGRESQL)
    free = sa.select(i.user_id).join(wanted, wanted.c.user_id == i.user_id)
    if not was_owed:
        free = free.where(sa.not_(_owes(i.user_id)))
    locked = free.order_by(_by_id(i.user_id)).with_for_update(of=inboxes, skip_locked=True, key_share=True)
    found = locked.cte("free")
    return (
        sa.update(inboxes)
        .where(i.user_id == found.c.user_id, i.user_id == wanted.c.user_id)
        .values(seq=i.seq + wanted.c.seq, unread=i.unread + wanted.c.unread)
        .returning(*_HEAD)
    )


@cache
def _open() -> Any:
    """Create missing inboxes, in the order of their ids' characters."""
    wanted = _WANTED.table(POSTGRESQL)
    rows = sa.select(wanted.c.user_id, wanted.c.seq, wanted.c.unread)
    rows = rows.where(sa.not_(_owes(wanted.c.user_id))).order_by(_by_id(wanted.c.user_id))
    statement = sa.dialects.postgresql.insert(inboxes).from_select(list(_COLUMNS), rows)
    return statement.on_conflict_do_nothing().returning(*_HEAD)


@cache
def _rebase(dialect: str) -> sa.Update:
    moved = _REBASED.table(dialect)
    return sa.update(inboxes).where(i.user_id == moved.c.user_id).values(seq=moved.c.seq)


def advance(
    connection: Connection,
    wanted: Mapping[str, tuple[int, int]],
    *,
    now: datetime,
    careful: bool = False,
    was_owed: bool = False,
) -> dict[str, list[int]]:
    """Take seqs for users; return [seq, unread] of each inbox before it.

    Args:
        connection: a writing transaction.
        wanted: user id -> how many seqs, and how many of them are unread.
        now: the present.
        careful: pass over users who are not free.
        was_owed: take them also for users to whom something earlier is owed; for the careful way.

    Returns:
        The free ones. Other users must be tried again later.

    Raises:
        SomethingOwed: something is owed to a user, and this was not the careful way.
        DBAPIError: also when a lock was not free in time (Cause.LOCKED) and this was not the careful way.
    """
    rows = [{"user_id": user, "seq": seqs, "unread": more} for user, (seqs, more) in sorted(wanted.items())]
    if connection.dialect.name != POSTGRESQL:
        heads = [head[:5] for head in _ADVANCE.execute(connection, rows)]
    elif careful:
        heads = [head[:5] for head in _advance_free(connection, rows, was_owed=was_owed)]
    else:
        heads = _advance_quickly(connection, rows)
    if not heads:
        return {}
    before = {user: [seq - wanted[user][0], unread - wanted[user][1]] for user, seq, unread, *_ in heads}
    base = log_base.settle(connection, heads[0][3], now=now)
    # Those that are new, or have had nothing since the base; so it is one statement more at most, and once.
    below = [user for user, (seq, _) in before.items() if seq < base]
    if below:
        moved = [{"user_id": user, "seq": base + wanted[user][0]} for user in below]
        connection.execute(_rebase(connection.dialect.name), _REBASED.parameters(connection, moved))
        before |= {user: [base, before[user][1]] for user in below}
    # Not asked where nobody was ever erased.
    new = [user for user, (seq, _) in before.items() if heads[0][4] and seq == base and wanted[user][0]]
    for user, began in erased.bases(connection, new).items() if new else ():
        if began > base:
            erased.begin_log(connection, user, began, seqs=wanted[user][0])
            before[user][0] = began
    return before


def _advance_quickly(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    one = len(rows) == 1
    parameters = rows[0] if one else _WANTED.parameters(connection, rows)
    found = connection.execute(_advance_all(one=one), parameters).all()
    if found[0][5]:
        raise SomethingOwed
    return [head[:5] for head in found]


def _advance_free(
    connection: Connection, rows: Sequence[Mapping[str, Any]], *, was_owed: bool
) -> list[AnyRow]:
    if len(rows) == 1:
        (row,) = rows
        one = {"of_user": row["user_id"], "seqs": row["seq"], "more_unread": row["unread"]}
        heads = list(connection.execute(_advance_one(was_owed), one))
    else:
        heads = list(connection.execute(_advance_many(was_owed), _WANTED.parameters(connection, rows)))
    given = {user for user, *_ in heads}
    if len(given) < len(rows):
        heads += _open_new(connection, [row for row in rows if row["user_id"] not in given])
    return heads


def _open_new(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[AnyRow]:
    """Create missing inboxes, in two halves when another transaction is creating some."""
    _together(connection, f"SAVEPOINT notifier_new; SET LOCAL lock_timeout = {MAX_WAIT_MS}")
    try:
        made = list(connection.execute(_open(), _WANTED.parameters(connection, rows)))
    except DBAPIError as exc:
        if cause(exc) is not Cause.LOCKED:
            raise
        _together(connection, "ROLLBACK TO SAVEPOINT notifier_new; RELEASE SAVEPOINT notifier_new")
        if len(rows) == 1:
            return []
        half = len(rows) // 2
        return _open_new(connection, rows[:half]) + _open_new(connection, rows[half:])
    _together(connection, "SET LOCAL lock_timeout TO DEFAULT; RELEASE SAVEPOINT notifier_new")
    return made


def _together(connection: Connection, statements: str) -> None:
    """Run statements without parameters in one round trip."""
    connection.exec_driver_sql(statements, execution_options={"no_parameters": True})
