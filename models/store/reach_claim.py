"""Take the rows of channels (`notifier_reach`) that are due.

A claim holds the notification's row together with its own (`FOR NO KEY UPDATE … SKIP LOCKED`): a retraction
that commits first is seen, one that comes later sees `sending`. It never waits for a lock, so it is part of
no deadlock. A digest is the waiting rows of one address with one due time.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.pages import READ_AT
from models.tables import addresses, deliveries, inboxes, notifications, reach, recipients
from notifier.core.reach import CLAIM_SECONDS, MOVES, Move, State
from notifier.outbox.dialect import POSTGRESQL, Rows
from notifier.outbox.types import AnyRow, UtcDateTime

r, n, d, i = reach.c, notifications.c, deliveries.c, inboxes.c
a, p = addresses.c, recipients.c

MAX_DIGEST = 5_000  # rows of one digest that are taken together

_IDS = Rows("ids", id=sa.BigInteger)
_MOVES = Rows(
    "moves", id=sa.BigInteger, reason=sa.Text, digest=sa.Text, due_at=UtcDateTime, next_at=UtcDateTime
)

# In the words of the index's condition.
_WAITS = r.state == sa.literal_column(f"'{State.WAITING}'")
_PRESENT = sa.bindparam("present", type_=UtcDateTime)

#: What a claim has to know of a row, its notification, its entry, its address and its recipient.
_FACTS: tuple[sa.ColumnElement[Any], ...] = (
    r.id,
    r.notification_id,
    r.user_id,
    r.channel,
    r.address_id,
    r.category,
    r.required,
    r.unless,
    r.digest,
    r.due_at,
    r.next_at,
    r.attempts,
    n.event,
    n.data,
    n.state.label("status"),
    n.accepted_at,
    n.expires_at,
    n.collapse_key,
    READ_AT.label("read_at"),
    d.seq,
    d.hidden,
    d.until,
    (d.seq <= i.seen).label("seen"),
    a.address,
    a.details,
    a.off_at,
    p.name,
    p.locale,
    p.timezone,
    p.preferences,
)


@cache
def _due(dialect: str, *, digests: bool, hosts: int) -> sa.Select[Any]:
    """Select waiting rows: single ones that are due, or all of the digest of one address and due time."""
    query = (
        sa.select(*_FACTS)
        .select_from(reach)
        .join(notifications, n.id == r.notification_id)
        .outerjoin(deliveries, sa.and_(d.notification_id == r.notification_id, d.user_id == r.user_id))
        .outerjoin(inboxes, i.user_id == r.user_id)
        .outerjoin(addresses, a.id == r.address_id)
        .outerjoin(recipients, p.user_id == r.user_id)
        .where(_WAITS)
    )
    if digests:
        query = query.where(
            r.address_id == sa.bindparam("of_address"),
            r.due_at == sa.bindparam("of_time", type_=UtcDateTime),
            r.digest.is_not(None),
        )
    else:
        query = query.where(
            r.channel == sa.bindparam("of_channel"), r.digest.is_(None), r.next_at <= _PRESENT
        )
    for number in range(hosts):
        query = query.where(
            sa.or_(a.address.is_(None), sa.not_(a.address.startswith(sa.bindparam(f"host{number}"))))
        )
    query = query.order_by(r.next_at, r.id).limit(sa.bindparam("at_most", type_=sa.Integer()))
    if dialect == POSTGRESQL:
        query = query.with_for_update(of=[reach, notifications], skip_locked=True, key_share=True)
    return query


_DUE_DIGESTS = (
    sa.select(r.address_id, r.due_at)
    .where(_WAITS, r.channel == sa.bindparam("of_channel"), r.digest.is_not(None), r.next_at <= _PRESENT)
    .group_by(r.address_id, r.due_at)
    .order_by(sa.func.min(r.next_at))
    .limit(sa.bindparam("at_most", type_=sa.Integer()))
)
_COUNT_DIGEST = sa.select(
    sa.func.count().filter(_WAITS),
    # Whether this digest has gone out already: what comes now goes with the next one.
    sa.func.count().filter(
        sa.or_(
            r.state.in_([State.SENDING, State.SENT, State.UNKNOWN, State.FAILED, State.REFUSED]),
            sa.and_(_WAITS, r.attempts > 0),
        )
    ),
).where(
    r.address_id == sa.bindparam("of_address"),
    r.due_at == sa.bindparam("of_time", type_=UtcDateTime),
    r.digest.is_not(None),
)
_HOLD_ADDRESS = (
    sa.select(a.id)
    .where(a.id == sa.bindparam("of_address"))
    .with_for_update(skip_locked=True, key_share=True)
)


@dataclass(frozen=True, slots=True)
class DueDigest:
    """The rows of one digest.

    Attributes:
        rows: those that wait, locked.
        closed: whether mail with this due time has been tried already.
    """

    rows: Sequence[AnyRow]
    closed: bool


def due(
    connection: Connection, channel: str, *, present: datetime, limit: int, hosts: Collection[str] = ()
) -> Sequence[AnyRow]:
    """Return single rows of a channel that are due, locked together with their notifications.

    Args:
        connection: a writing transaction.
        channel: its name.
        present: the database's.
        limit: rows at most.
        hosts: addresses that begin with one of these are left out.
    """
    given = {f"host{number}": host for number, host in enumerate(sorted(hosts))}
    statement = _due(connection.dialect.name, digests=False, hosts=len(given))
    return connection.execute(
        statement, {"of_channel": channel, "present": present, "at_most": limit, **given}
    ).all()


def due_digests(
    connection: Connection, channel: str, *, present: datetime, limit: int
) -> Sequence[DueDigest]:
    """Return digests that are due, all their rows locked; one that somebody else works on is left out."""
    statement = _due(connection.dialect.name, digests=True, hosts=0)
    found = []
    wanted = connection.execute(
        _DUE_DIGESTS, {"of_channel": channel, "present": present, "at_most": limit}
    ).all()
    for address, due_at in wanted:
        one = {"of_address": address, "of_time": due_at}
        if connection.dialect.name == POSTGRESQL:
            held = connection.execute(_HOLD_ADDRESS, one).first()
            if held is None and connection.scalar(sa.select(a.id).where(a.id == address)) is not None:
                continue
        waiting, tried = connection.execute(_COUNT_DIGEST, one).one()
        rows = connection.execute(statement, {**one, "at_most": MAX_DIGEST}).all()
        if len(rows) < min(waiting, MAX_DIGEST):
            continue  # a notification of it is held by somebody: the next look has all of them
        found.append(DueDigest(rows, closed=bool(tried)))
    return found


@cache
def _claim(dialect: str) -> sa.Update:
    ids = sa.select(_IDS.table(dialect).c.id)
    return (
        sa.update(reach)
        .where(r.id.in_(ids), _WAITS)
        .values(
            state=MOVES[Move.CLAIM][State.WAITING],
            attempts=r.attempts + 1,
            reason=None,
            deadline=sa.bindparam("until", type_=UtcDateTime),
        )
    )


def claim(connection: Connection, ids: Sequence[int], *, present: datetime) -> None:
    """Mark locked rows as `sending`, with their deadline."""
    if ids:
        rows = _IDS.parameters(connection, [{"id": id} for id in ids])
        until = present + timedelta(seconds=CLAIM_SECONDS)
        connection.execute(_claim(connection.dialect.name), {**rows, "until": until})


@cache
def _skip(dialect: str) -> sa.Update:
    moves = _MOVES.table(dialect)
    return (
        sa.update(reach)
        .where(r.id == moves.c.id, _WAITS)
        .values(state=MOVES[Move.SKIP][State.WAITING], reason=moves.c.reason)
    )


@cache
def _postpone(dialect: str) -> sa.Update:
    moves = _MOVES.table(dialect)
    return (
        sa.update(reach)
        .where(r.id == moves.c.id, _WAITS)
        .values(digest=moves.c.digest, due_at=moves.c.due_at, next_at=moves.c.next_at, reason=moves.c.reason)
    )


def skip(connection: Connection, reasons: Mapping[int, str]) -> None:
    """Mark locked rows as skipped: row -> reason."""
    if reasons:
        rows = [
            {"id": id, "reason": reason, "digest": None, "due_at": None, "next_at": None}
            for id, reason in reasons.items()
        ]
        connection.execute(_skip(connection.dialect.name), _MOVES.parameters(connection, rows))


@dataclass(frozen=True, slots=True)
class Later:
    """The new due time of a row, its digest (None: alone), and the reason, if one is to be shown."""

    due_at: datetime
    next_at: datetime
    digest: str | None = None
    reason: str | None = None


def postpone(connection: Connection, moves: Mapping[int, Later]) -> None:
    """Postpone locked rows: row -> its new time."""
    if moves:
        rows = [
            {
                "id": id,
                "reason": to.reason,
                "digest": to.digest,
                "due_at": to.due_at,
                "next_at": to.next_at,
            }
            for id, to in moves.items()
        ]
        connection.execute(_postpone(connection.dialect.name), _MOVES.parameters(connection, rows))
