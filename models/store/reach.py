"""The rows of channels (`notifier_reach`): take what is due, and keep what became of it.

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

from models.store.log import READ_AT
from models.tables import addresses, deliveries, inboxes, notifications, reach, recipients
from notifier.core.reach import CLAIM_SECONDS, MOVES, Move, State
from notifier.outbox.dialect import POSTGRESQL, Insertion, Rows
from notifier.outbox.types import AnyRow, UtcDateTime

r, n, d, i = reach.c, notifications.c, deliveries.c, inboxes.c
a, p = addresses.c, recipients.c

MAX_DIGEST = 5_000  # rows of one digest that are taken together
MAX_REASON = 300  # characters

_INSERT = Insertion(
    reach,
    (
        "notification_id", "user_id", "channel", "address_id", "category", "state", "reason", "required",
        "unless", "digest", "due_at", "next_at",
    ),
    lambda statement: statement.on_conflict_do_nothing(
        index_elements=[r.notification_id, r.user_id, r.channel, r.address_id]
    ),
)  # fmt: skip
_IDS = Rows("ids", id=sa.BigInteger)
_MOVES = Rows(
    "moves", id=sa.BigInteger, reason=sa.Text, digest=sa.Text, due_at=UtcDateTime, next_at=UtcDateTime
)
_OUTCOMES = Rows(
    "outcomes",
    id=sa.BigInteger,
    attempt=sa.BigInteger,
    state=sa.Text,
    reason=sa.Text,
    provider_id=sa.Text,
    next_at=UtcDateTime,
    given_back=sa.BigInteger,
)

# In the words of the index's condition.
_WAITS = r.state == sa.literal_column(f"'{State.WAITING}'")
_SENDING = r.state == sa.literal_column(f"'{State.SENDING}'")
_PRESENT = sa.bindparam("present", type_=UtcDateTime)


def insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows; one that is there already stays as it is."""
    if rows:
        _INSERT.execute(connection, rows)


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
    sa.func.count().filter(sa.and_(_WAITS, r.attempts == 0)),
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
        waiting, tried, fresh = connection.execute(_COUNT_DIGEST, one).one()
        rows = connection.execute(statement, {**one, "at_most": MAX_DIGEST}).all()
        if len(rows) < min(waiting, MAX_DIGEST):
            continue  # a notification of it is held by somebody: the next look has all of them
        found.append(DueDigest(rows, closed=bool(tried) and bool(fresh)))
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
    """Mark locked rows as skipped: row -> why."""
    if reasons:
        rows = [
            {"id": id, "reason": reason, "digest": None, "due_at": None, "next_at": None}
            for id, reason in reasons.items()
        ]
        connection.execute(_skip(connection.dialect.name), _MOVES.parameters(connection, rows))


@dataclass(frozen=True, slots=True)
class Later:
    """When a row is due instead, with which digest (None: alone), and why, if that is to be told."""

    due_at: datetime
    next_at: datetime
    digest: str | None = None
    reason: str | None = None


def postpone(connection: Connection, moves: Mapping[int, Later]) -> None:
    """Let locked rows wait for another time: row -> when."""
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


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one attempt, to be kept with its row.

    Attributes:
        id: the row.
        attempt: which one; a result of an earlier attempt decides only when it is `sent`.
        move: what happened.
        reason: why.
        provider_id: the provider's name for it.
        next_at: when a row that waits again is tried next.
        given_back: whether the attempt does not count.
    """

    id: int
    attempt: int
    move: Move
    reason: str | None = None
    provider_id: str | None = None
    next_at: datetime | None = None
    given_back: bool = False


@cache
def _keep(dialect: str) -> sa.Update:
    outcome = _OUTCOMES.table(dialect)
    sent = outcome.c.state == sa.literal_column(f"'{State.SENT}'")
    in_time = sa.and_(r.attempts == outcome.c.attempt, r.state.in_([State.SENDING, State.UNKNOWN]))
    lost = outcome.c.state == sa.literal_column(f"'{State.UNKNOWN}'")
    return (
        sa.update(reach)
        .where(
            r.id == outcome.c.id,
            sa.or_(
                sa.and_(sent, r.state.in_(sorted(MOVES[Move.SENT]))),
                sa.and_(lost, r.attempts == outcome.c.attempt, _SENDING),
                sa.and_(sa.not_(sent), sa.not_(lost), in_time),
            ),
        )
        .values(
            state=outcome.c.state,
            reason=outcome.c.reason,
            provider_id=outcome.c.provider_id,
            sent_at=sa.case((sent, _PRESENT)),
            next_at=sa.func.coalesce(outcome.c.next_at, r.next_at, type_=UtcDateTime),
            attempts=r.attempts - outcome.c.given_back,
            deadline=None,
        )
    )


def keep(connection: Connection, outcomes: Sequence[Kept], *, present: datetime) -> None:
    """Keep what became of attempts."""
    if not outcomes:
        return
    rows = [
        {
            "id": one.id,
            "attempt": one.attempt,
            "state": MOVES[one.move][State.SENDING],
            "reason": one.reason[:MAX_REASON] if one.reason else None,
            "provider_id": one.provider_id,
            "next_at": one.next_at,
            "given_back": int(one.given_back),
        }
        for one in sorted(outcomes, key=lambda one: one.id)
    ]
    connection.execute(
        _keep(connection.dialect.name), {**_OUTCOMES.parameters(connection, rows), "present": present}
    )


_OVERDUE = (
    sa.select(r.id, r.attempts)
    .where(_SENDING, r.deadline <= _PRESENT)
    .order_by(r.deadline)
    .limit(1_000)
    .with_for_update(skip_locked=True)
)


def overdue(connection: Connection, *, present: datetime) -> Sequence[AnyRow]:
    """Return rows (`id`, `attempts`) that are `sending` beyond their deadline, locked."""
    return connection.execute(_OVERDUE, {"present": present}).all()


@cache
def _again(dialect: str) -> sa.Update:
    moves = _MOVES.table(dialect)
    return (
        sa.update(reach)
        .where(r.id == moves.c.id, r.state.in_(sorted(MOVES[Move.REPLAY])))
        .values(state=State.WAITING, next_at=moves.c.next_at, deadline=None)
    )


def again(connection: Connection, moves: Mapping[int, datetime]) -> None:
    """Let rows that are `unknown` wait again: row -> until when (NOTIFIER_UNKNOWN=retry)."""
    if moves:
        rows = [
            {"id": id, "reason": None, "digest": None, "due_at": None, "next_at": at}
            for id, at in moves.items()
        ]
        connection.execute(_again(connection.dialect.name), _MOVES.parameters(connection, rows))


def replay(connection: Connection, number: int, *, present: datetime) -> bool:
    """Let a failed or unknown row wait again with all its attempts; False: it is neither."""
    found = connection.execute(
        sa.update(reach)
        .where(r.id == number, r.state.in_(sorted(MOVES[Move.REPLAY])))
        .values(state=State.WAITING, attempts=0, next_at=present, reason=None, deadline=None)
    )
    return found.rowcount == 1


def drop(connection: Connection, number: int) -> bool:
    """Forget a failed row; False: it has not failed."""
    found = connection.execute(sa.delete(reach).where(r.id == number, r.state == State.FAILED))
    return found.rowcount == 1


def undelivered(connection: Connection, *, limit: int = 1_000) -> Sequence[AnyRow]:
    """Return rows that have failed or are unknown, oldest first."""
    return connection.execute(
        sa.select(r.id, r.notification_id, r.user_id, r.channel, r.state, r.attempts, r.due_at, r.reason)
        .where(sa.text("state IN ('failed', 'unknown')"))
        .order_by(r.id)
        .limit(limit)
    ).all()


def states(connection: Connection, notification_id: str) -> dict[str, dict[str, int]]:
    """Return how many rows of a notification are in which state: channel -> state -> count."""
    found: dict[str, dict[str, int]] = {}
    for channel, state, count in connection.execute(
        sa.select(r.channel, r.state, sa.func.count())
        .where(r.notification_id == notification_id)
        .group_by(r.channel, r.state)
        .order_by(r.channel, r.state)
    ):
        found.setdefault(channel, {})[state] = count
    return found


def of_delivery(connection: Connection, notification_id: str, user_id: str) -> Sequence[AnyRow]:
    """Return the rows of one user's copy of a notification, oldest first."""
    return connection.execute(
        sa.select(r.channel, r.state, r.reason, r.due_at, r.next_at, r.sent_at, r.attempts, r.digest)
        .where(r.notification_id == notification_id, r.user_id == user_id)
        .order_by(r.id)
    ).all()


@dataclass(frozen=True, slots=True)
class ReachBacklog:
    """What channels have to do: channel -> rows that are due, unknown and failed; and the oldest due time."""

    due: Mapping[str, int]
    unknown: int
    failed: int
    oldest: datetime | None


def backlog(connection: Connection, *, present: datetime) -> ReachBacklog:
    """Count what is due, and what went wrong (each count uses a partial index)."""
    rows = connection.execute(
        sa.select(r.channel, sa.func.count(), sa.func.min(r.next_at))
        .where(_WAITS, r.next_at <= present)
        .group_by(r.channel)
    ).all()
    counted = connection.execute(
        sa.select(r.state, sa.func.count()).where(sa.text("state IN ('failed', 'unknown')")).group_by(r.state)
    )
    wrong: dict[str, int] = {row[0]: row[1] for row in counted}
    oldest = min((row[2] for row in rows), default=None)
    return ReachBacklog(
        {row[0]: row[1] for row in rows}, wrong.get(State.UNKNOWN, 0), wrong.get(State.FAILED, 0), oldest
    )
