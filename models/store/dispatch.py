"""Dispatch: from accepted to every recipient's inbox, in batches, in the order of acceptance.

The rows are taken with plain FOR UPDATE, without SKIP LOCKED (on SQLite: BEGIN IMMEDIATE): a
second drainer waits for the first and goes on behind it, so that of two sends to one user the
earlier has the lower seq. Inboxes are always locked in the order of their user ids, so that no two
batches can deadlock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import log_base
from models.store.log_base import BASE
from models.tables import ACCEPTED, DISPATCHED, badges, deliveries, inboxes, notifications
from notifier.core.log import Entry
from notifier.outbox.dialect import Insertion, Rows
from notifier.outbox.types import AnyRow, UtcDateTime, UuidText, milliseconds

MAX_BATCH = 1_000  # deliveries written by one transaction

n = notifications.c
_DUE = (
    n.number,
    n.id,
    n.event,
    n.data,
    n.inbox,
    n.sender,
    n.recipient,
    n.audience,
    n.recipients,
    n.position,
    n.reached,
    n.accepted_at,
)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What one transaction put into inboxes, to be published once it is committed.

    Attributes:
        ids: the notifications it worked on.
        finished: those of them that have reached every recipient now.
        entries: (user id, entry), each user's in the order of their seqs.
        more: whether it left something behind: waiting notifications, or recipients of a bulk one.
    """

    ids: Sequence[str] = ()
    finished: Sequence[str] = ()
    entries: Sequence[tuple[str, Entry]] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is due.

    Attributes:
        singles: whether notifications that are not bulk are.
        bulk: the id of the oldest bulk one; None: none is.
        position: how many of its recipients are done with.
    """

    singles: bool
    bulk: str | None
    position: int = 0


# In the statement's text: a plan for whatever state could not use the index of those that wait.
_WAITS = n.state == sa.literal_column(f"'{ACCEPTED}'")
_IS_DUE = sa.and_(_WAITS, sa.or_(n.next_attempt_at.is_(None), n.next_attempt_at <= sa.bindparam("present")))
_LIMIT = sa.bindparam("at_most", type_=sa.Integer())
_SINGLE = n.bulk.is_(False)

_NUMBERS = sa.select(n.number).where(_SINGLE, _IS_DUE).order_by(n.number).limit(_LIMIT)
_TAKE = sa.select(*_DUE).where(_SINGLE, _IS_DUE).order_by(n.number).limit(_LIMIT).with_for_update()
_TAKE_BEFORE = (
    sa.select(*_DUE)
    .where(_SINGLE, _IS_DUE, sa.or_(n.recipients == 1, n.number < sa.bindparam("barrier")))
    .order_by(n.number)
    .limit(_LIMIT)
    .with_for_update()
)
_TAKE_NUMBER = sa.select(*_DUE).where(n.number == sa.bindparam("its_number"), _WAITS).with_for_update()
_TAKE_ID = sa.select(*_DUE).where(n.id == sa.bindparam("its_id"), _WAITS).with_for_update()
_OLDEST = sa.select(n.id, n.position).where(n.bulk.is_(True), _IS_DUE).order_by(n.number).limit(1).subquery()
_WAITING = sa.select(
    sa.exists().where(_SINGLE, _IS_DUE).label("singles"), _OLDEST.c.id, _OLDEST.c.position
).select_from(sa.select(sa.literal_column("1")).subquery().outerjoin(_OLDEST, sa.true()))
_FIRST_BULK = sa.select(sa.func.min(n.number)).where(n.bulk.is_(True), _IS_DUE)

_ADVANCE = Insertion(
    inboxes,
    ("user_id", "seq", "unread"),
    lambda statement: statement.on_conflict_do_update(
        index_elements=[inboxes.c.user_id],
        set_={
            "seq": inboxes.c.seq + statement.excluded.seq,
            "unread": inboxes.c.unread + statement.excluded.unread,
        },
    ).returning(inboxes.c.user_id, inboxes.c.seq, inboxes.c.unread, BASE.label("base")),
)
_REBASED = Rows("rebased", user_id=sa.Text, seq=sa.BigInteger)
_DELIVER = Insertion(deliveries, ("user_id", "seq", "notification_id", "inbox", "unread", "persisted_at"))
_SET_BADGES = Insertion(
    badges,
    ("user_id", "type", "count", "seq"),
    lambda statement: statement.on_conflict_do_update(
        index_elements=[badges.c.user_id, badges.c.type],
        set_={"count": statement.excluded.count, "seq": statement.excluded.seq},
    ),
)
_FINISHED = Rows("finished", number=sa.BigInteger)
_MARKS = Rows("mark", id=UuidText, at=UtcDateTime)
#: When the wake-up was sent; for a bulk notification, the first one.
_WOKEN = sa.func.coalesce(n.woken_at, sa.bindparam("woken", type_=UtcDateTime), type_=UtcDateTime)


@cache
def _finish(dialect: str) -> sa.Update:
    done = _FINISHED.table(dialect)
    return (
        sa.update(notifications)
        .where(n.number == done.c.number)
        .values(
            state=DISPATCHED,
            audience=None,  # its deliveries say who got it
            position=n.recipients,
            reached=n.recipients,
            woken_at=_WOKEN,
            dispatched_at=sa.bindparam("present", type_=UtcDateTime),
            error=None,
            next_attempt_at=None,
        )
    )


@cache
def _rebase(dialect: str) -> sa.Update:
    moved = _REBASED.table(dialect)
    return sa.update(inboxes).where(inboxes.c.user_id == moved.c.user_id).values(seq=moved.c.seq)


@cache
def _mark(dialect: str) -> sa.Update:
    mark = _MARKS.table(dialect)
    return sa.update(notifications).where(n.id == mark.c.id).values(published_at=mark.c.at)


def due_numbers(connection: Connection, *, limit: int, now: datetime) -> list[int]:
    """Return the numbers of waiting single notifications, oldest first, without locking them."""
    return list(connection.scalars(_NUMBERS, {"present": now, "at_most": limit}))


def waiting(connection: Connection, *, now: datetime) -> Waiting:
    """Return what is due, as of one moment: where the bulk one is seen, all accepted before it are."""
    singles, bulk, position = connection.execute(_WAITING, {"present": now}).one()
    return Waiting(bool(singles), bulk, position or 0)


def dispatch_batch(
    connection: Connection, *, limit: int, now: datetime, woken_at: datetime | None = None
) -> Dispatched:
    """Dispatch up to `limit` waiting notifications that are not bulk, in the order of acceptance.

    `woken_at`: when the wake-up was sent that asked for it; None: there was none.
    Those to several users wait for bulk ones accepted before them: two sends to many keep their order.
    """
    asked = {"present": now, "at_most": limit}
    rows = connection.execute(_TAKE, asked).all()
    if any(row.recipients > 1 for row in rows):
        # Asked after the rows were seen, so that whatever was accepted before any of them is seen too.
        barrier = connection.scalar(_FIRST_BULK, {"present": now})
        if barrier is not None and any(row.recipients > 1 and row.number > barrier for row in rows):
            rows = connection.execute(_TAKE_BEFORE, {**asked, "barrier": barrier}).all()
    batch: list[tuple[AnyRow, Sequence[str]]] = []
    size = 0
    for row in rows:
        size += row.recipients
        if batch and size > MAX_BATCH:
            break  # the rest stays first in line
        batch.append((row, _audience(row)))
    done = _dispatch(connection, batch, now, woken_at)
    return replace(done, more=len(rows) == limit or len(batch) < len(rows))


def dispatch_one(
    connection: Connection, number: int, *, now: datetime, woken_at: datetime | None = None
) -> Dispatched:
    """Dispatch one waiting single notification; nothing when it does not wait any more."""
    rows = connection.execute(_TAKE_NUMBER, {"its_number": number}).all()
    return _dispatch(connection, [(row, _audience(row)) for row in rows], now, woken_at)


def dispatch_chunk(
    connection: Connection, id: str, *, size: int, now: datetime, woken_at: datetime | None = None
) -> Dispatched:
    """Dispatch the next `size` recipients of a bulk notification; nothing when it no longer waits.

    To keep the order of two bulk ones, only the oldest that is due may be given.
    """
    row = connection.execute(_TAKE_ID, {"its_id": id}).first()
    if row is None:
        return Dispatched()
    return _dispatch(connection, [(row, _audience(row)[row.position : row.position + size])], now, woken_at)


def _dispatch(
    connection: Connection,
    work: Sequence[tuple[AnyRow, Sequence[str]]],
    now: datetime,
    woken_at: datetime | None,
) -> Dispatched:
    if not work:
        return Dispatched()
    heads = _advance(connection, work, now)
    rows: list[dict[str, Any]] = []
    entries: list[tuple[str, Entry]] = []
    set_badges: dict[tuple[str, str], dict[str, Any]] = {}
    for row, users in work:
        timestamp = milliseconds(row.accepted_at)
        for user in users:
            head = heads[user]
            head[0] += 1
            head[1] += row.inbox
            seq, unread = head
            rows.append(
                {
                    "user_id": user,
                    "seq": seq,
                    "notification_id": row.id,
                    "inbox": row.inbox,
                    "unread": unread,
                    "persisted_at": now,
                }
            )
            entries.append(
                (user, Entry(seq, row.event, row.id, row.sender, timestamp, row.data, unread, row.inbox))
            )
            if row.event == "badge":
                kind, count = row.data["type"], row.data["count"]
                set_badges[user, kind] = {"user_id": user, "type": kind, "count": count, "seq": seq}
    _DELIVER.execute(connection, rows)
    if set_badges:
        _SET_BADGES.execute(connection, list(set_badges.values()))
    finished = {row.number for row, users in work if row.position + len(users) == row.recipients}
    if finished:
        numbers = [{"number": number} for number in sorted(finished)]
        connection.execute(
            _finish(connection.dialect.name),
            {**_FINISHED.parameters(connection, numbers), "woken": woken_at, "present": now},
        )
    for row, users in work:
        position = row.position + len(users)
        if position < row.recipients:
            connection.execute(
                sa.update(notifications)
                .where(n.number == row.number)
                .values(
                    position=position,
                    reached=row.reached + len(users),
                    woken_at=_WOKEN,
                    attempts=0,
                    next_attempt_at=None,
                ),
                {"woken": woken_at},
            )
    return Dispatched(
        ids=[row.id for row, _ in work],
        finished=[row.id for row, _ in work if row.number in finished],
        entries=entries,
        more=len(finished) < len(work),
    )


def _audience(row: AnyRow) -> Sequence[str]:
    """Return the recipients of a waiting notification's row."""
    audience: Sequence[str] = row.audience if row.recipient is None else [row.recipient]
    return audience


def _advance(
    connection: Connection, work: Iterable[tuple[AnyRow, Sequence[str]]], now: datetime
) -> dict[str, list[int]]:
    """Take the seqs that `work` needs; return [seq, unread] of each user's inbox before it."""
    taken: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    for row, users in work:
        for user in users:
            taken[user] += 1
            unread[user] += row.inbox
    rows = [{"user_id": user, "seq": taken[user], "unread": unread[user]} for user in sorted(taken)]
    heads = _ADVANCE.execute(connection, rows).all()
    before = {user: [seq - taken[user], count - unread[user]] for user, seq, count, _ in heads}
    base = log_base.settle(connection, heads[0].base, now=now)
    # Those that are new, or have had nothing since the base; so it is one statement more at most, and once.
    below = [user for user, (seq, _) in before.items() if seq < base]
    if below:
        moved = [{"user_id": user, "seq": base + taken[user]} for user in below]
        connection.execute(_rebase(connection.dialect.name), _REBASED.parameters(connection, moved))
        before |= {user: [base, before[user][1]] for user in below}
    return before


def published(connection: Connection, moments: Mapping[str, datetime]) -> None:
    """Keep when the broker had taken what notifications put into inboxes: id -> time; the latest stays."""
    if connection.dialect.name == "postgresql":
        # Nobody was promised it: no need to wait for the disk.
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
    rows = [{"id": id, "at": at} for id, at in sorted(moments.items())]
    connection.execute(_mark(connection.dialect.name), _MARKS.parameters(connection, rows))
