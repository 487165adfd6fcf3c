"""Addresses of channels: push subscriptions, and the providers' verdicts on all addresses."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import addresses
from notifier.channels import PUSH
from notifier.outbox.dialect import Rows, insert
from notifier.outbox.types import UtcDateTime

a = addresses.c

_IDS = Rows("ids", id=sa.BigInteger)


@cache
def _lock(dialect: str) -> sa.Select[Any]:
    ids = sa.select(_IDS.table(dialect).c.id)
    return sa.select(a.id).where(a.id.in_(ids)).order_by(a.id).with_for_update(key_share=True)


@cache
def _succeeded(dialect: str) -> sa.Update:
    ids = sa.select(_IDS.table(dialect).c.id)
    present = sa.bindparam("present", type_=UtcDateTime)
    return sa.update(addresses).where(a.id.in_(ids)).values(succeeded_at=present, doubts=0, doubted_on=None)


def lock(connection: Connection, numbers: Collection[int]) -> None:
    """Lock addresses, in the order that everybody keeps."""
    if numbers:
        rows = [{"id": number} for number in sorted(numbers)]
        connection.execute(_lock(connection.dialect.name), _IDS.parameters(connection, rows))


def succeeded(connection: Connection, numbers: Collection[int], *, present: datetime) -> None:
    """Record a successful send to addresses: resets their count of doubts."""
    if numbers:
        rows = _IDS.parameters(connection, [{"id": number} for number in sorted(numbers)])
        connection.execute(_succeeded(connection.dialect.name), {**rows, "present": present})


def switch_off(connection: Connection, number: int, reason: str, *, present: datetime) -> None:
    """Stop using an address: delete a push subscription; switch another one off until it is set again."""
    connection.execute(sa.delete(addresses).where(a.id == number, a.channel == PUSH))
    connection.execute(
        sa.update(addresses)
        .where(a.id == number, a.off_at.is_(None))
        .values(off_at=present, off_reason=reason[:300])
    )


def doubt(connection: Connection, number: int, *, daily: bool, present: datetime) -> int:
    """Note that an address may be gone; return how often in a row. `daily`: once a day counts."""
    row = connection.execute(
        sa.select(a.doubts, a.doubted_on).where(a.id == number).with_for_update()
    ).first()
    if row is None:
        return 0
    count = row.doubts if daily and row.doubted_on == present.date() else row.doubts + 1
    connection.execute(
        sa.update(addresses).where(a.id == number).values(doubts=count, doubted_on=present.date())
    )
    return int(count)


def subscribe(
    connection: Connection,
    user_id: str,
    endpoint: str,
    details: Mapping[str, str],
    *,
    present: datetime,
    limit: int,
) -> None:
    """Keep a browser's subscription for a user, and for no other user.

    Beyond `limit` subscriptions, the ones with the oldest success are deleted.
    """
    taken = addresses.c.channel == PUSH, a.address == endpoint
    connection.execute(sa.delete(addresses).where(*taken, a.user_id != user_id))
    values = {"details": details, "off_at": None, "off_reason": None, "doubts": 0, "doubted_on": None}
    statement = insert(connection, addresses).values(
        user_id=user_id, channel=PUSH, address=endpoint, created_at=present, **values
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[a.address],
            index_where=sa.text("channel = 'push'"),
            set_={"user_id": user_id, **values},
        )
    )
    newest = (
        sa.select(a.id)
        .where(a.user_id == user_id, a.channel == PUSH)
        .order_by(sa.func.coalesce(a.succeeded_at, a.created_at).desc(), a.id.desc())
        .limit(limit)
    )
    connection.execute(
        sa.delete(addresses).where(a.user_id == user_id, a.channel == PUSH, a.id.not_in(newest))
    )


def unsubscribe(connection: Connection, user_id: str, endpoint: str) -> None:
    """Delete a user's subscription of a browser."""
    connection.execute(
        sa.delete(addresses).where(a.user_id == user_id, a.channel == PUSH, a.address == endpoint)
    )
