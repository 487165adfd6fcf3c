"""Acceptance: the row that makes a notification durable, before its sender hears 202.

The database's unique constraints decide (a key is unique for each sender), so of any number of equal
calls at once exactly one stores a row; the others wait for it and are answered from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.core.draft import Draft
from notifier.core.errors import IdempotencyMismatch
from notifier.outbox.dialect import Insertion
from notifier.outbox.tables import notifications

_STORE = Insertion(
    notifications,
    (
        "id", "event", "inbox", "data", "recipient", "audience", "recipients", "bulk", "sender",
        "idempotency_key", "request_hash", "accepted_at",
    ),
    lambda statement: statement.on_conflict_do_nothing().returning(notifications.c.id),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the sender hears.

    Attributes:
        id: the notification's id.
        recipients: how many users it is for.
        replayed: whether it had been accepted before, under the same key or id.
        bulk: whether it goes out in chunks.
    """

    id: str
    recipients: int
    replayed: bool
    bulk: bool


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
            Accepted(draft.id, len(draft.audience), replayed=False, bulk=draft.bulk)
            if draft.id in stored
            else _known(connection, draft)
        )
    if later:
        rest = accept_all(connection, [drafts[place] for place in later], now=now)
        answers.update(zip(later, rest, strict=True))
    return [answers[place] for place in range(len(drafts))]


def _insert(connection: Connection, drafts: Sequence[Draft], now: datetime) -> set[str]:
    """Insert what is not known yet; return the ids of that."""
    found = _STORE.execute(
        connection,
        [
            {
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
            for draft in drafts
        ],
    )
    return set(found.scalars())


def _known(connection: Connection, draft: Draft) -> Accepted | IdempotencyMismatch:
    """Answer from the notification that has the draft's id or key."""
    n = notifications.c
    same_key = sa.and_(n.sender == draft.sender, n.idempotency_key == draft.key)
    known = connection.execute(
        sa.select(n.id, n.recipients, n.bulk, n.request_hash)
        .where(sa.or_(n.id == draft.id, same_key) if draft.key else n.id == draft.id)
        .order_by(n.number)
    ).all()
    # The key may have been used for one notification and the id for another: both must be this one's.
    if not known or any(row.request_hash != draft.body_hash() for row in known):
        return IdempotencyMismatch("this idempotency key or id was used before, with another body")
    return Accepted(known[0].id, known[0].recipients, replayed=True, bulk=known[0].bulk)
