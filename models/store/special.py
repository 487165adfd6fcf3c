"""Notifications with optional fields: the additional columns of their rows.

A statement that takes or reads rows reads no further column for them: it gets NULL for a column that is
never NULL (`if_plain`), and only such a row is read again with all columns. So plain notifications do not
cost more.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import expiry
from models.tables import notifications, recipients
from notifier.core.categories import GENERAL, category
from notifier.outbox import clock
from notifier.outbox.dialect import Rows
from notifier.outbox.types import AnyRow

log = logging.getLogger(__name__)

n = notifications.c

_NUMBERS = Rows("special", number=sa.BigInteger)
#: Asked once for each statement, by a partial index that is empty where nobody has any.
PREFERRING = sa.exists(sa.select(recipients.c.user_id).where(sa.text("preferences IS NOT NULL")))
#: Whether a row has no optional field.
WITHOUT_OPTIONS = sa.and_(
    n.category.is_(None),
    n.collapse_key.is_(None),
    n.expires_at.is_(None),
    n.version.is_(None),
    n.suppressed == sa.literal_column("0"),
    n.erased.is_(None),
)

#: The columns that a dispatch reads of a row; `inbox` is NULL for one with optional fields.
TAKEN: tuple[sa.ColumnElement[Any], ...] = (
    n.number,
    n.id,
    n.event,
    n.data,
    sa.case((sa.and_(WITHOUT_OPTIONS, sa.not_(PREFERRING)), n.inbox)).label("inbox"),
    n.sender,
    n.recipient,
    n.audience,
    n.recipients,
    n.position,
    n.reached,
    n.accepted_at,
)


_MORE = (
    n.category,
    n.collapse_key,
    n.version,
    n.suppressed,
    n.erased,
    PREFERRING.label("preferring"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """The optional fields of a row that is dispatched."""

    category: str = GENERAL
    collapse_key: str | None = None
    version: int | None = None

    @property
    def shown_category(self) -> str | None:
        """The category in frames; None for `general`."""
        return None if self.category == GENERAL else self.category


PLAIN = Options()


@cache
def _whole(dialect: str) -> sa.Select[Any]:
    named = sa.select(_NUMBERS.table(dialect).c.number)
    ended = (n.expires_at <= clock.expression(dialect)).label("ended")
    columns = [n.inbox if column.name == "inbox" else column for column in TAKEN]
    return sa.select(*columns, *_MORE, ended).where(n.number.in_(named))


def complete(connection: Connection, rows: Sequence[AnyRow]) -> tuple[Sequence[AnyRow], Sequence[str]]:
    """Return a dispatch's rows with all columns, and the ids of expired ones.

    The latter are marked as expired and left out.
    """
    numbers = [{"number": row.number} for row in rows if row.inbox is None]
    if not numbers:
        return rows, ()
    found = connection.execute(_whole(connection.dialect.name), _NUMBERS.parameters(connection, numbers))
    whole = {row.number: row for row in found}
    ended = [row for row in whole.values() if row.ended]
    if ended:
        expiry.mark(connection, [row.number for row in ended])
    left = [whole.get(row.number, row) for row in rows]
    return [row for row in left if not getattr(row, "ended", False)], [row.id for row in ended]


def options(row: AnyRow) -> Options:
    """Return the optional fields of a row that `complete` returned.

    A category that is not defined any more counts as `general`.
    """
    if not hasattr(row, "ended"):
        return PLAIN
    name = row.category or GENERAL
    if category(name) is None:
        log.warning("unknown category, treated as general: notification=%s category=%s", row.id, name)
        name = GENERAL
    return Options(name, row.collapse_key, row.version)
