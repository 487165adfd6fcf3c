"""The heads of users' logs: their inbox rows with the base, and their badge counts."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import log_base
from models.store.log_base import BASE
from models.tables import badges, inboxes
from notifier.outbox.dialect import Rows
from notifier.outbox.types import AnyRow

i = inboxes.c


def inbox_rows(connection: Connection, user_ids: Iterable[str]) -> dict[str, AnyRow]:
    """Return the inbox rows of those to whom something was sent, each with `base` (see `log_base`)."""
    rows = connection.execute(_inboxes_of(connection.dialect.name), _named(connection, user_ids))
    return {row.user_id: row for row in rows}


_USERS = Rows("users", user_id=sa.Text)


@cache
def _inboxes_of(dialect: str) -> sa.Select[Any]:
    named = sa.select(_USERS.table(dialect).c.user_id)
    return sa.select(inboxes, BASE.label("base")).where(i.user_id.in_(named))


@cache
def _heads_of(dialect: str) -> sa.Select[Any]:
    named = sa.select(_USERS.table(dialect).c.user_id)
    return sa.select(i.user_id, i.seq, BASE).where(i.user_id.in_(named))


@cache
def _badges_of(dialect: str) -> sa.Select[Any]:
    b = badges.c
    return sa.select(b.user_id, b.type, b.count).where(
        b.user_id.in_(sa.select(_USERS.table(dialect).c.user_id))
    )


def _named(connection: Connection, user_ids: Iterable[str]) -> dict[str, Any]:
    return _USERS.parameters(connection, [{"user_id": user_id} for user_id in sorted(user_ids)])


_INBOX = sa.select(inboxes, BASE.label("base")).where(i.user_id == sa.bindparam("of_user"))


_LOCKED_INBOX = _INBOX.with_for_update(nowait=True)


def inbox_row(connection: Connection, user_id: str, *, lock: bool = False) -> AnyRow | None:
    """Return a user's inbox row, with `base` (see `log_base`); None before anything was sent to them."""
    return connection.execute(_LOCKED_INBOX if lock else _INBOX, {"of_user": user_id}).first()


def heads(connection: Connection, user_ids: Sequence[str]) -> dict[str, int]:
    """Return the head of each user's log.

    Only of those to whom something was sent, unless there is a base. Raises TimelineChanged.
    """
    rows = connection.execute(_heads_of(connection.dialect.name), _named(connection, user_ids)).all()
    found = {user_id: max(seq, log_base.known(base)) for user_id, seq, base in rows}
    if len(found) < len(user_ids) and (base := log_base.current(connection)):
        found |= {user_id: base for user_id in user_ids if user_id not in found}
    return found


def head_of(connection: Connection, row: AnyRow | None) -> int:
    """Return the head of the log whose inbox row, if it has one, this is. Raises TimelineChanged."""
    return max(row.seq, log_base.known(row.base)) if row else log_base.current(connection)


def badge_counts(connection: Connection, user_id: str) -> dict[str, int]:
    """Return the present count of each badge of a user that was ever set."""
    return badges_of(connection, [user_id]).get(user_id, {})


def badges_of(connection: Connection, user_ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return the present counts of some users' badges; of those who ever had one."""
    found: dict[str, dict[str, int]] = {}
    rows = connection.execute(_badges_of(connection.dialect.name), _named(connection, user_ids))
    for user_id, kind, count in rows:
        found.setdefault(user_id, {})[kind] = count
    return found
