"""Reading the log: replay and repair.

A user's log is two index scans, of `deliveries` and of `changes`, merged by seq.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from heapq import merge
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.visible import GONE
from models.tables import changes, deliveries, inboxes, notifications
from notifier.core.log import (
    ARCHIVED,
    MAX_BEHIND,
    UPDATED,
    Entry,
)
from notifier.core.states import WITHDRAWN as WITHDRAWN_STATES
from notifier.outbox.dialect import Rows
from notifier.outbox.types import UuidText, milliseconds

d, n, i = deliveries.c, notifications.c, inboxes.c

FEW = 64  # entries of one span that are named one by one; more are a range
SPANS_AT_ONCE = 50

_ARRIVED = (
    d.seq, n.event, n.id, n.sender, n.accepted_at, n.data, d.unread, d.inbox,
    GONE.label("gone"), d.collapsed, d.returned_at, n.category, n.version, d.quiet,
)  # fmt: skip
_CHANGED = (changes.c.seq, changes.c.event, changes.c.data, changes.c.unread, changes.c.at)


def logs_of(
    connection: Connection, spans: Sequence[tuple[str, int, int]]
) -> dict[tuple[str, int], list[Entry]]:
    """Return the log's entries of each span (user id, after, head), by (user id, after)."""
    short = [span for span in spans if span[2] - span[1] <= FEW]
    named: dict[tuple[str, int], Entry] = {}
    for start in range(0, len(short), SPANS_AT_ONCE):
        places = {(u, seq) for u, after, head in short[start : start + SPANS_AT_ONCE]
                  for seq in range(after + 1, head + 1)}  # fmt: skip
        named |= _entries_at(connection, places)
    logs = {
        (user_id, after): [
            named[user_id, seq] for seq in range(after + 1, head + 1) if (user_id, seq) in named
        ]
        for user_id, after, head in short
    }
    for user_id, after, head in spans:
        if head - after > FEW:
            logs[user_id, after] = entries(connection, user_id, after)
    return logs


def _entries_at(connection: Connection, places: set[tuple[str, int]]) -> dict[tuple[str, int], Entry]:
    """Return the entries at these places (user id, seq): each is a delivery or a change."""
    dialect = connection.dialect.name
    arrived = connection.execute(_arrived_at(dialect), _parameters(connection, places))
    found = {(user_id, row[0]): _arrived(*row) for user_id, *row in arrived}
    if rest := places - found.keys():
        changed = connection.execute(_changed_at(dialect), _parameters(connection, rest))
        news = {(user_id, row[0]): change_entry(*row) for user_id, *row in changed}
        if any(entry.event == UPDATED for entry in news.values()):
            news = dict(zip(news, _with_data(connection, list(news.values())), strict=True))
        found |= news
    return found


_PLACES = Rows("places", user_id=sa.Text, seq=sa.BigInteger)


@cache
def _arrived_at(dialect: str) -> sa.Select[Any]:
    at = _PLACES.table(dialect)
    return (
        sa.select(d.user_id, *_ARRIVED)
        .join_from(at, deliveries, sa.and_(d.user_id == at.c.user_id, d.seq == at.c.seq))
        .join(notifications, d.notification_id == n.id)
    )


@cache
def _changed_at(dialect: str) -> sa.Select[Any]:
    at = _PLACES.table(dialect)
    same = sa.and_(changes.c.user_id == at.c.user_id, changes.c.seq == at.c.seq)
    return sa.select(changes.c.user_id, *_CHANGED).join_from(at, changes, same)


def _parameters(connection: Connection, places: Iterable[tuple[str, int]]) -> dict[str, Any]:
    rows = [{"user_id": user_id, "seq": seq} for user_id, seq in sorted(places)]
    return _PLACES.parameters(connection, rows)


_AT_MOST = sa.bindparam("at_most", type_=sa.Integer())
_ARRIVED_AFTER = (
    sa.select(*_ARRIVED)
    .join_from(deliveries, notifications, d.notification_id == n.id)
    .where(d.user_id == sa.bindparam("of_user"), d.seq > sa.bindparam("after"))
    .order_by(d.seq)
    .limit(_AT_MOST)
)
_CHANGED_AFTER = (
    sa.select(*_CHANGED)
    .where(changes.c.user_id == sa.bindparam("of_user"), changes.c.seq > sa.bindparam("after"))
    .order_by(changes.c.seq)
    .limit(_AT_MOST)
)


def entries(connection: Connection, user_id: str, after: int, limit: int = MAX_BEHIND) -> list[Entry]:
    """Return the log's entries after `after`, in order, `limit` at most."""
    span = {"of_user": user_id, "after": after, "at_most": limit}
    arrived = connection.execute(_ARRIVED_AFTER, span)
    changed = connection.execute(_CHANGED_AFTER, span)
    both = merge(
        (_arrived(*row) for row in arrived),
        (change_entry(*row) for row in changed),
        key=lambda entry: entry.seq,
    )
    found = [entry for entry, _ in zip(both, range(limit), strict=False)]
    return _with_data(connection, found) if any(entry.event == UPDATED for entry in found) else found


_IDS = Rows("ids", id=UuidText)


@cache
def _newest(dialect: str) -> sa.Select[Any]:
    named = sa.select(_IDS.table(dialect).c.id)
    return sa.select(n.id, n.data, n.version).where(n.id.in_(named), n.state.not_in(WITHDRAWN_STATES))


def _with_data(connection: Connection, log: Sequence[Entry]) -> list[Entry]:
    """Return these entries, those of an update with the newest data; None for what is withdrawn.

    The log has them without: what is taken back is nowhere else.
    """
    ids = {id for entry in log if entry.event == UPDATED for id in entry.data["ids"]}
    rows = connection.execute(
        _newest(connection.dialect.name), _IDS.parameters(connection, [{"id": id} for id in sorted(ids)])
    )
    known = {row.id: row for row in rows}

    def whole(entry: Entry) -> Entry:
        if entry.event != UPDATED:
            return entry
        row = known.get(entry.data["ids"][0])
        shown = {"version": row.version, "data": row.data} if row else {"data": None}
        return replace(entry, data={**entry.data, **shown})

    return [whole(entry) for entry in log]


def _arrived(
    seq: int,
    event: str,
    id: str,
    sender: str,
    at: datetime,
    data: dict[str, Any],
    unread: int,
    inbox: bool,
    gone: str | None,
    collapsed: int | None,
    returned_at: datetime | None,
    category: str | None,
    version: int | None,
    quiet: bool | None,
) -> Entry:
    if gone is not None:
        return change_entry(seq, ARCHIVED, {"ids": [id], "why": gone}, unread, at)
    returned = returned_at is not None
    own = (seq, event, id, sender, milliseconds(at), data, unread, inbox)
    return Entry(*own, collapsed, returned, category, version, bool(quiet))


def change_entry(seq: int, event: str, data: dict[str, Any], unread: int, at: Any) -> Entry:
    """Return the log's entry of a change of state."""
    return Entry(seq, event, None, "system", milliseconds(at), data, unread, inbox=False)
