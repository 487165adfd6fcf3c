"""Dispatch: from accepted to every recipient's inbox, in batches, in the order of acceptance.

The rows are taken with plain FOR UPDATE, without SKIP LOCKED (on SQLite: BEGIN IMMEDIATE): a
second drainer waits for the first and goes on behind it, so that of two sends to one user the
earlier has the lower seq. Inboxes are always locked in the order of their user ids, so that no two
batches can deadlock; one that somebody else has locked is passed over (`models.store.advance`): a single
notification for its user stays accepted, and of one to several users it is owed (`models.store.owed`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import owed, special
from models.store.fan_out import Dispatched, audience_of, fan_out
from models.tables import ACCEPTED, notifications
from models.tables import owed as owed_rows
from notifier.outbox.dialect import Rows
from notifier.outbox.types import AnyRow, UtcDateTime, UuidText

MAX_BATCH = 1_000  # deliveries written by one transaction

n = notifications.c
_DUE = special.TAKEN


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is due.

    Attributes:
        singles: whether notifications that are not bulk are due.
        bulk: the id of the oldest bulk one; None: there is none.
        position: the number of its recipients that have been handled.
        owed: whether something is owed to a user.
        untold: whether logs have yet to be told of an end or an update, which goes before new chunks.
    """

    singles: bool
    bulk: str | None
    position: int = 0
    owed: bool = False
    untold: bool = False


# In the statement's text: a plan for whatever state could not use the index of those that wait.
_WAITS = n.state == sa.literal_column(f"'{ACCEPTED}'")
# Of one whose every recipient was tried, what is left is owed.
_UNTRIED = sa.or_(n.position < n.recipients, n.position == sa.literal_column("0"))
_IS_DUE = sa.and_(
    _WAITS, _UNTRIED, sa.or_(n.next_attempt_at.is_(None), n.next_attempt_at <= sa.bindparam("present"))
)
_LIMIT = sa.bindparam("at_most", type_=sa.Integer())
_SINGLE = n.bulk.is_(False)
_USERS = Rows("users", user_id=sa.Text)
_WANTED_NUMBERS = Rows("wanted", number=sa.BigInteger)

_NUMBERS = sa.select(n.number).where(_SINGLE, _IS_DUE).order_by(n.number).limit(_LIMIT)
_TAKE_ID = sa.select(*_DUE).where(n.id == sa.bindparam("its_id"), _WAITS, _UNTRIED).with_for_update()
_TAKE_OWED = sa.select(*_DUE).where(n.number == sa.bindparam("its_number"), _WAITS).with_for_update()
_MARKS = Rows("mark", id=UuidText, at=UtcDateTime)
_OLDEST = sa.select(n.id, n.position).where(n.bulk.is_(True), _IS_DUE).order_by(n.number).limit(1).subquery()
_WAITING = sa.select(
    sa.exists().where(_SINGLE, _IS_DUE).label("singles"),
    _OLDEST.c.id,
    _OLDEST.c.position,
    sa.exists(sa.select(owed_rows.c.number)).label("owed"),
    sa.exists(sa.select(n.number).where(n.untold.is_not(None))).label("untold"),
).select_from(sa.select(sa.literal_column("1")).subquery().outerjoin(_OLDEST, sa.true()))
_FIRST_BULK = sa.select(sa.func.min(n.number)).where(n.bulk.is_(True), _IS_DUE)


@cache
def _take(dialect: str, *, before: bool = False, without: bool = False, only: bool = False) -> sa.Select[Any]:
    """Take what is due and not bulk.

    Args:
        dialect: "postgresql" or "sqlite".
        before: to several users only what was accepted before the number `barrier`.
        without: no notification to a single one of `users`.
        only: only notifications to a single one of `users`.
    """
    query = sa.select(*_DUE).where(_SINGLE, _IS_DUE)
    if before:
        query = query.where(sa.or_(n.recipients == 1, n.number < sa.bindparam("barrier")))
    users = sa.select(_USERS.table(dialect).c.user_id)
    if without:
        query = query.where(sa.or_(n.recipient.is_(None), n.recipient.not_in(users)))
    if only:
        query = query.where(n.recipient.in_(users))
    return query.order_by(n.number).limit(_LIMIT).with_for_update()


@cache
def _take_numbers(dialect: str) -> sa.Select[Any]:
    wanted = sa.select(_WANTED_NUMBERS.table(dialect).c.number)
    query = sa.select(*_DUE).where(n.number.in_(wanted), _WAITS, _UNTRIED)
    return query.order_by(n.number).with_for_update()


@cache
def _mark(dialect: str) -> sa.Update:
    mark = _MARKS.table(dialect)
    return sa.update(notifications).where(n.id == mark.c.id).values(published_at=mark.c.at)


def due_numbers(connection: Connection, *, limit: int, now: datetime) -> list[int]:
    """Return the numbers of waiting single notifications, oldest first, without locking them."""
    return list(connection.scalars(_NUMBERS, {"present": now, "at_most": limit}))


def waiting(connection: Connection, *, now: datetime) -> Waiting:
    """Return what is due at one moment: with a bulk one, all accepted before it are seen too."""
    singles, bulk, position, is_owed, untold = connection.execute(_WAITING, {"present": now}).one()
    return Waiting(bool(singles), bulk, position or 0, bool(is_owed), bool(untold))


def dispatch_batch(
    connection: Connection,
    *,
    limit: int,
    now: datetime,
    woken_at: datetime | None = None,
    busy: Collection[str] = (),
    only: Collection[str] = (),
    careful: bool = False,
    zone: str = "UTC",
) -> Dispatched:
    """Dispatch up to `limit` waiting notifications that are not bulk, in the order of acceptance.

    Those to several users wait for bulk ones accepted before them: two sends to many keep their order.

    Args:
        connection: a writing transaction.
        limit: notifications.
        now: the present.
        woken_at: when the wake-up was sent that asked for it; None: there was none.
        busy: users to pass over.
        only: dispatch only notifications to a single one of these users.
        careful: pass over users whose inbox is locked; else it is an error (`models.store.advance`).
        zone: of the quiet hours of people who have none.
    """
    dialect = connection.dialect.name
    kind = {"without": bool(busy) and not only, "only": bool(only)}
    asked: dict[str, Any] = {"present": now, "at_most": limit}
    if busy or only:
        asked |= _USERS.parameters(connection, [{"user_id": user} for user in sorted(only or busy)])
    rows = connection.execute(_take(dialect, **kind), asked).all()
    if any(row.recipients > 1 for row in rows):
        # Read after the rows, so that everything accepted before any of them is seen too.
        barrier = connection.scalar(_FIRST_BULK, {"present": now})
        if barrier is not None and any(row.recipients > 1 and row.number > barrier for row in rows):
            rows = connection.execute(
                _take(dialect, before=True, **kind), {**asked, "barrier": barrier}
            ).all()
    batch: list[AnyRow] = []
    size = 0
    found = len(rows)
    rows, expired = special.complete(connection, rows)
    for row in rows:
        size += row.recipients
        if batch and size > MAX_BATCH:
            break  # the rest stays first in line
        batch.append(row)
    work = [(row, audience_of(row)) for row in batch]
    done = fan_out(connection, work, now=now, woken_at=woken_at, busy=busy, careful=careful, zone=zone)
    return replace(done, more=found == limit or len(batch) < len(rows), expired=expired)


def dispatch_numbers(
    connection: Connection,
    numbers: Sequence[int],
    *,
    now: datetime,
    woken_at: datetime | None = None,
    busy: Collection[str] = (),
    careful: bool = False,
    zone: str = "UTC",
) -> Dispatched:
    """Dispatch these notifications that are not bulk, in their order; what no longer waits is left out."""
    wanted = _WANTED_NUMBERS.parameters(connection, [{"number": number} for number in numbers])
    taken = connection.execute(_take_numbers(connection.dialect.name), wanted).all()
    rows, expired = special.complete(connection, taken)
    work = [(row, audience_of(row)) for row in rows]
    done = fan_out(connection, work, now=now, woken_at=woken_at, busy=busy, careful=careful, zone=zone)
    return replace(done, expired=expired)


def dispatch_one(
    connection: Connection, number: int, *, now: datetime, woken_at: datetime | None = None
) -> Dispatched:
    """Dispatch one waiting single notification; nothing if it does not wait any more."""
    return dispatch_numbers(connection, [number], now=now, woken_at=woken_at)


def dispatch_chunk(
    connection: Connection,
    id: str,
    *,
    size: int,
    now: datetime,
    woken_at: datetime | None = None,
    busy: Collection[str] = (),
    careful: bool = False,
    zone: str = "UTC",
) -> Dispatched:
    """Dispatch the next `size` recipients of a bulk notification; nothing when it no longer waits.

    To keep the order of two bulk ones, only the oldest that is due may be given. `busy`: users to pass over.
    """
    taken = connection.execute(_TAKE_ID, {"its_id": id}).all()
    rows, expired = special.complete(connection, taken)
    if not rows:
        return Dispatched(expired=expired)
    row = rows[0]
    users = audience_of(row)[row.position : row.position + size]
    return fan_out(
        connection, [(row, users)], now=now, woken_at=woken_at, busy=busy, careful=careful, zone=zone
    )


def dispatch_owed(
    connection: Connection,
    number: int,
    *,
    size: int,
    now: datetime,
    woken_at: datetime | None = None,
    busy: Collection[str] = (),
    only: Collection[str] = (),
    careful: bool = True,
    zone: str = "UTC",
) -> Dispatched:
    """Dispatch a notification to up to `size` of those to whom it is owed; nothing when it no longer waits.

    To keep the order, only the oldest may be given, as `owed.oldest` names it for the same users. Always
    `careful`.
    """
    taken = connection.execute(_TAKE_OWED, {"its_number": number}).all()
    rows, expired = special.complete(connection, taken)
    users = owed.users(connection, number, busy=busy, only=only, limit=size) if rows else []
    if not users:
        return Dispatched(expired=expired)
    row = rows[0]
    done = fan_out(
        connection, [(row, users)], now=now, woken_at=woken_at, careful=careful, was_owed=True, zone=zone
    )
    return replace(done, more=len(users) == size)


def published(connection: Connection, moments: Mapping[str, datetime]) -> None:
    """Record when the broker accepted the entries of notifications: id -> time; the latest stays."""
    if connection.dialect.name == "postgresql":
        # Not promised to anybody, so there is no need to wait for the disk.
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
    rows = [{"id": id, "at": at} for id, at in sorted(moments.items())]
    connection.execute(_mark(connection.dialect.name), _MARKS.parameters(connection, rows))
