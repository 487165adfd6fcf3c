"""Acceptance: the row that makes a notification durable, before its sender hears 202."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.dialect import insert
from models.tables import notifications
from notifier.errors import IdempotencyMismatch

BULK_OVER = 100  # recipients; larger audiences are dispatched in chunks, in a lane of their own


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


def accept(
    connection: Connection,
    *,
    id: str,
    event: str,
    inbox: bool,
    data: dict[str, Any],
    audience: Sequence[str],
    sender: str,
    key: str | None,
    now: datetime,
) -> Accepted:
    """Store one notification, unless its id or idempotency key is known already.

    The database's unique constraints decide, so of any number of equal calls at once exactly one
    stores a row; the others wait for it and are answered from it.

    Raises IdempotencyMismatch when the known one has another event, data or audience.
    """
    body_hash = hashlib.sha256(
        orjson.dumps([event, data, list(audience)], option=orjson.OPT_SORT_KEYS)
    ).hexdigest()
    bulk = len(audience) > BULK_OVER
    stored = connection.execute(
        insert(connection, notifications).on_conflict_do_nothing().returning(notifications.c.id),
        {
            "id": id,
            "event": event,
            "inbox": inbox,
            "data": data,
            "audience": list(audience),
            "recipients": len(audience),
            "bulk": bulk,
            "sender": sender,
            "idempotency_key": key,
            "request_hash": body_hash,
            "accepted_at": now,
        },
    ).first()
    if stored:
        return Accepted(id, len(audience), replayed=False, bulk=bulk)
    n = notifications.c
    known = connection.execute(
        sa.select(n.id, n.recipients, n.bulk, n.request_hash)
        .where(sa.or_(n.id == id, n.idempotency_key == key) if key else n.id == id)
        .order_by(n.number)
    ).all()
    # The key may have been used for one notification and the id for another: both must be this one's.
    if not known or any(row.request_hash != body_hash for row in known):
        raise IdempotencyMismatch("this idempotency key or id was used before, with another body")
    return Accepted(known[0].id, known[0].recipients, replayed=True, bulk=known[0].bulk)
