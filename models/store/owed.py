"""What is owed: recipients of a notification to several users who were passed over because of a lock.

They get it before anything later. A notification waits (state accepted) as long as it is owed to somebody.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import ACCEPTED, notifications, owed
from notifier.outbox.dialect import Insertion, Rows

n, o = notifications.c, owed.c

_ADD = Insertion(owed, ("user_id", "number"))
_USERS = Rows("users", user_id=sa.Text)
_LIMIT = sa.bindparam("at_most", type_=sa.Integer())
_NUMBER = sa.bindparam("its_number", type_=sa.BigInteger())


def add(connection: Connection, number: int, users: Sequence[str]) -> None:
    """Note that a notification is owed to users."""
    _ADD.execute(connection, [{"user_id": user, "number": number} for user in sorted(users)])


def remove(connection: Connection, number: int, users: Sequence[str]) -> None:
    """Note that users to whom a notification was owed have it."""
    connection.execute(_remove(connection.dialect.name), {"its_number": number, **_named(connection, users)})


def oldest(
    connection: Connection, *, busy: Collection[str], only: Collection[str], now: datetime
) -> int | None:
    """Return the number of the oldest notification that is due and owed to a user who is not busy.

    `only`: and who is one of these, if there are any.
    """
    asked = {"present": now, **_named(connection, only or busy)}
    number: int | None = connection.scalar(_oldest(connection.dialect.name, only=bool(only)), asked)
    return number


def users(
    connection: Connection, number: int, *, busy: Collection[str], only: Collection[str], limit: int
) -> list[str]:
    """Return up to `limit` users to whom a notification is owed; `busy` and `only` as for `oldest`."""
    asked = {"its_number": number, "at_most": limit, **_named(connection, only or busy)}
    return list(connection.scalars(_users(connection.dialect.name, only=bool(only)), asked))


def _named(connection: Connection, users: Collection[str]) -> dict[str, Any]:
    return _USERS.parameters(connection, [{"user_id": user} for user in sorted(users)])


def _wanted(dialect: str, *, only: bool) -> sa.ColumnElement[bool]:
    users = sa.select(_USERS.table(dialect).c.user_id)
    return o.user_id.in_(users) if only else o.user_id.not_in(users)


@cache
def _oldest(dialect: str, *, only: bool) -> sa.Select[Any]:
    due = sa.or_(n.next_attempt_at.is_(None), n.next_attempt_at <= sa.bindparam("present"))
    found = sa.select(o.number).join(notifications, n.number == o.number)
    found = found.where(n.state == ACCEPTED, due, _wanted(dialect, only=only))
    return found.order_by(o.number).limit(1)


@cache
def _users(dialect: str, *, only: bool) -> sa.Select[Any]:
    found = sa.select(o.user_id).where(o.number == _NUMBER, _wanted(dialect, only=only))
    return found.order_by(o.user_id).limit(_LIMIT)


@cache
def _remove(dialect: str) -> sa.Delete:
    return sa.delete(owed).where(o.number == _NUMBER, _wanted(dialect, only=True))
