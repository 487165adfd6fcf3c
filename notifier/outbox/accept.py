"""Acceptance: store the row that makes a notification durable, before the sender gets its 202.

The database's unique constraints decide (a key is unique for each sender), so of any number of equal
calls at once exactly one stores a row; the others wait for it and are answered from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.core.draft import Draft
from notifier.core.errors import IdempotencyMismatch
from notifier.core.life import Life
from notifier.outbox import clock
from notifier.outbox.dialect import Insertion
from notifier.outbox.tables import ACCEPTED, SCHEDULED, notifications

_COLUMNS = (
    "id", "event", "inbox", "data", "recipient", "audience", "recipients", "bulk", "sender",
    "idempotency_key", "request_hash", "accepted_at",
)  # fmt: skip
_LIFE = ("state", "category", "collapse_key", "deliver_at", "scheduled_at", "expires_at")


def _new(statement: Any) -> Any:
    return statement.on_conflict_do_nothing().returning(notifications.c.id)


_STORE = Insertion(notifications, _COLUMNS, _new)
_STORE_LIVES = Insertion(notifications, (*_COLUMNS, *_LIFE), _new)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to the sender.

    Attributes:
        id: the notification's id.
        recipients: how many users it is for.
        replayed: whether it had been accepted before, under the same key or id.
        bulk: whether it goes out in chunks.
        status: ACCEPTED or SCHEDULED.
    """

    id: str
    recipients: int
    replayed: bool
    bulk: bool
    status: str = ACCEPTED


def accept(connection: Connection, draft: Draft, *, now: datetime) -> Accepted:
    """Store one notification, unless its id or idempotency key is known already.

    Raises IdempotencyMismatch when the known one has another body.
    """
    (answer,) = accept_all(connection, [draft], now=now)
    if isinstance(answer, IdempotencyMismatch):
        raise answer
    return answer


def accept_all(
    connection: Connection, drafts: Sequence[Draft], *, now: datetime
) -> list[Accepted | IdempotencyMismatch]:
    """Store notifications in the order given; return an answer for each, as `accept` has it."""
    # Ids and keys of this round: a second one of them has to wait for the first.
    taken: set[str | tuple[str, str]] = set()
    first: list[int] = []
    later: list[int] = []
    for place, draft in enumerate(drafts):
        names = {draft.id, (draft.sender, draft.key) if draft.key else draft.id}
        (later if names & taken else first).append(place)
        taken |= names
    answers: dict[int, Accepted | IdempotencyMismatch] = {}
    stored = _insert(connection, [drafts[place] for place in first], now)
    for place in first:
        draft = drafts[place]
        answers[place] = (
            Accepted(draft.id, len(draft.audience), False, draft.bulk, stored[draft.id])
            if draft.id in stored
            else _known(connection, draft)
        )
    if later:
        rest = accept_all(connection, [drafts[place] for place in later], now=now)
        answers.update(zip(later, rest, strict=True))
    return [answers[place] for place in range(len(drafts))]


def _insert(connection: Connection, drafts: Sequence[Draft], now: datetime) -> dict[str, str]:
    """Insert the drafts that are new; return their ids, each with its state."""
    rows = [_row(draft, now) for draft in drafts]
    if all(draft.life.plain for draft in drafts):
        return dict.fromkeys(_STORE.returned(connection, rows), ACCEPTED)
    present = clock.present(connection)
    rows = [row | _life(draft.life, present) for row, draft in zip(rows, drafts, strict=True)]
    states = {row["id"]: row["state"] for row in rows}
    return {id: states[id] for id in _STORE_LIVES.returned(connection, rows)}


def _row(draft: Draft, now: datetime) -> dict[str, Any]:
    return {
        "id": draft.id,
        "event": draft.event.name,
        "inbox": draft.event.inbox,
        "data": draft.data,
        "recipient": draft.audience[0] if len(draft.audience) == 1 else None,
        "audience": list(draft.audience) if len(draft.audience) > 1 else None,
        "recipients": len(draft.audience),
        "bulk": draft.bulk,
        "sender": draft.sender,
        "idempotency_key": draft.key,
        "request_hash": draft.body_hash(),
        "accepted_at": now,
    }


def _life(life: Life, present: datetime) -> dict[str, Any]:
    """Return the columns of a life that begins now, by the database's clock."""
    later = life.deliver_at if life.deliver_at and life.deliver_at > present else None
    return {
        "state": SCHEDULED if later else ACCEPTED,
        "category": life.category,
        "collapse_key": life.collapse_key,
        "deliver_at": later,
        "scheduled_at": present if later else None,
        "expires_at": life.expiry(present),
    }


def _known(connection: Connection, draft: Draft) -> Accepted | IdempotencyMismatch:
    """Return the answer for a notification that already has the draft's id or key."""
    n = notifications.c
    same_key = sa.and_(n.sender == draft.sender, n.idempotency_key == draft.key)
    known = connection.execute(
        sa.select(n.id, n.recipients, n.bulk, n.request_hash, n.scheduled_at)
        .where(sa.or_(n.id == draft.id, same_key) if draft.key else n.id == draft.id)
        .order_by(n.number)
    ).all()
    # The key may have been used for one notification and the id for another: both must be this one's.
    if not known or any(row.request_hash != draft.body_hash() for row in known):
        return IdempotencyMismatch("this idempotency key or id was used before, with another body")
    status = ACCEPTED if known[0].scheduled_at is None else SCHEDULED
    return Accepted(known[0].id, known[0].recipients, True, known[0].bulk, status)
