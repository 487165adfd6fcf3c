"""The rows of channels (`notifier_reach`): insert, count, replay, drop.

`models.store.reach_claim` takes what is due, `models.store.reach_outcomes` keeps what became of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import reach
from notifier.core.reach import MOVES, Move, State
from notifier.outbox.dialect import Insertion
from notifier.outbox.types import AnyRow

r = reach.c

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
# In the words of the index's condition.
_WAITS = r.state == sa.literal_column(f"'{State.WAITING}'")


def insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows; one that is there already stays as it is."""
    if rows:
        _INSERT.execute(connection, rows)


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
