"""Store the outcomes of attempts to send rows of channels (`notifier_reach`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import reach
from notifier.core.reach import MOVES, Move, State
from notifier.outbox.dialect import Rows
from notifier.outbox.types import AnyRow, UtcDateTime

r = reach.c

MAX_REASON = 300  # characters

_MOVES = Rows("moves", id=sa.BigInteger, next_at=UtcDateTime)
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
_SENDING = r.state == sa.literal_column(f"'{State.SENDING}'")
_PRESENT = sa.bindparam("present", type_=UtcDateTime)


@dataclass(frozen=True, slots=True)
class Kept:
    """The outcome of one attempt, to be stored with its row.

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
    """Store the outcomes of attempts."""
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
        rows = [{"id": id, "next_at": at} for id, at in moves.items()]
        connection.execute(_again(connection.dialect.name), _MOVES.parameters(connection, rows))
