"""Acceptance: the row that makes a notification durable, before its sender hears 202.

The database's unique constraints decide (a key is unique for each sender), so of any number of equal
calls at once exactly one stores a row; the others wait for it and are answered from it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

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

BULK_OVER = 100  # recipients; larger audiences are dispatched in chunks, in a lane of their own


@dataclass(frozen=True, slots=True)
class Offer:
    """A notification to be accepted.

    Attributes:
        id: its id.
        own_id: whether the caller chose the id: then it is part of what a key stands for.
        event, inbox, data: what it is, whether it is an inbox entry, what it says.
        audience: its recipients.
        sender: who sends it.
        key: the caller's idempotency key.
        bulk: whether it goes out in chunks.
        body_hash: equal for equal bodies.
    """

    id: str
    own_id: bool
    event: str
    inbox: bool
    data: dict[str, Any]
    audience: Sequence[str]
    sender: str
    key: str | None
    bulk: bool = field(init=False)
    body_hash: str = field(init=False)

    def __post_init__(self) -> None:
        body = [self.event, self.data, list(self.audience), *([self.id] if self.own_id else [])]
        plain = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        object.__setattr__(self, "bulk", len(self.audience) > BULK_OVER)
        object.__setattr__(self, "body_hash", hashlib.sha256(plain).hexdigest())


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


def accept(connection: Connection, offer: Offer, *, now: datetime) -> Accepted:
    """Store one notification, unless its id or idempotency key is known already.

    Raises IdempotencyMismatch when the known one has another body.
    """
    (answer,) = accept_all(connection, [offer], now=now)
    if isinstance(answer, IdempotencyMismatch):
        raise answer
    return answer


def accept_all(
    connection: Connection, offers: Sequence[Offer], *, now: datetime
) -> list[Accepted | IdempotencyMismatch]:
    """Store notifications in the order given; return an answer for each, as `accept` has it."""
    taken: set[str | tuple[str, str]] = (
        set()
    )  # ids and keys of this round: a second one of them has to wait for the first
    first: list[int] = []
    later: list[int] = []
    for place, offer in enumerate(offers):
        names = {offer.id, (offer.sender, offer.key) if offer.key else offer.id}
        (later if names & taken else first).append(place)
        taken |= names
    answers: dict[int, Accepted | IdempotencyMismatch] = {}
    stored = _insert(connection, [offers[place] for place in first], now)
    for place in first:
        offer = offers[place]
        answers[place] = (
            Accepted(offer.id, len(offer.audience), replayed=False, bulk=offer.bulk)
            if offer.id in stored
            else _known(connection, offer)
        )
    if later:
        rest = accept_all(connection, [offers[place] for place in later], now=now)
        answers.update(zip(later, rest, strict=True))
    return [answers[place] for place in range(len(offers))]


def _insert(connection: Connection, offers: Sequence[Offer], now: datetime) -> set[str]:
    """Insert what is not known yet; return the ids of that."""
    found = _STORE.execute(
        connection,
        [
            {
                "id": offer.id,
                "event": offer.event,
                "inbox": offer.inbox,
                "data": offer.data,
                "recipient": offer.audience[0] if len(offer.audience) == 1 else None,
                "audience": list(offer.audience) if len(offer.audience) > 1 else None,
                "recipients": len(offer.audience),
                "bulk": offer.bulk,
                "sender": offer.sender,
                "idempotency_key": offer.key,
                "request_hash": offer.body_hash,
                "accepted_at": now,
            }
            for offer in offers
        ],
    )
    return set(found.scalars())


def _known(connection: Connection, offer: Offer) -> Accepted | IdempotencyMismatch:
    """Answer from the notification that has the offer's id or key."""
    n = notifications.c
    same_key = sa.and_(n.sender == offer.sender, n.idempotency_key == offer.key)
    known = connection.execute(
        sa.select(n.id, n.recipients, n.bulk, n.request_hash)
        .where(sa.or_(n.id == offer.id, same_key) if offer.key else n.id == offer.id)
        .order_by(n.number)
    ).all()
    # The key may have been used for one notification and the id for another: both must be this one's.
    if not known or any(row.request_hash != offer.body_hash for row in known):
        return IdempotencyMismatch("this idempotency key or id was used before, with another body")
    return Accepted(known[0].id, known[0].recipients, replayed=True, bulk=known[0].bulk)
