"""Pages of a query by keyset: each page begins after the last row of the one before, never at an offset."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.outbox.types import AnyRow


@dataclass(frozen=True, slots=True)
class Key:
    """A column of the order; the values of all columns of an order together are unique and not NULL."""

    name: str
    column: sa.ColumnElement[Any]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: after a row with these values of the keys, or, `back`, ends before it."""

    values: tuple[Any, ...]
    back: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page of rows in their order; `previous`, `next`: the cursors of the others, None: there are none."""

    rows: Sequence[AnyRow]
    previous: Cursor | None
    next: Cursor | None


def page(
    connection: Connection, query: sa.Select[Any], keys: Sequence[Key], limit: int, cursor: Cursor | None
) -> Page:
    """Return a page of `query`, which has no order and no limit of its own.

    Args:
        connection: a connection.
        query: what is read; it has a column of the name of each key.
        keys: the order.
        limit: rows of the page at most.
        cursor: None: the first page.
    """
    back = cursor is not None and cursor.back
    if cursor is not None:
        query = query.where(_beyond(keys, cursor))
    order = [key.column.desc() if key.descending != back else key.column.asc() for key in keys]
    found = connection.execute(query.order_by(*order).limit(limit + 1)).all()
    more, rows = len(found) > limit, list(found[:limit])
    if back:
        rows.reverse()
    if not rows:
        return Page(rows, None, None)
    first, last = (tuple(getattr(row, key.name) for key in keys) for row in (rows[0], rows[-1]))
    return Page(
        rows,
        Cursor(first, back=True) if (more if back else cursor is not None) else None,
        Cursor(last) if back or more else None,
    )


def _beyond(keys: Sequence[Key], cursor: Cursor) -> sa.ColumnElement[bool]:
    """Return whether a row comes after the cursor's, or before it."""
    beyond: sa.ColumnElement[bool] = sa.false()
    # Bound with the column's type: SQLAlchemy compares no column with a bare True.
    pairs = [
        (key, sa.literal(value, key.column.type)) for key, value in zip(keys, cursor.values, strict=True)
    ]
    for key, value in reversed(pairs):
        further = key.column < value if key.descending != cursor.back else key.column > value
        beyond = sa.or_(further, sa.and_(key.column == value, beyond))
    # The first key alone too: an index serves it.
    key, value = pairs[0]
    bound = key.column <= value if key.descending != cursor.back else key.column >= value
    return sa.and_(bound, beyond)


def every(
    connection: Connection, query: sa.Select[Any], keys: Sequence[Key], limit: int
) -> Iterator[Sequence[AnyRow]]:
    """Yield all pages."""
    cursor: Cursor | None = None
    while True:
        found = page(connection, query, keys, limit, cursor)
        yield found.rows
        if found.next is None:
            return
        cursor = found.next
