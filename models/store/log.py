"""Reading the log and the inbox: snapshots, replay, repair, pages.

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

from models.store import log_base
from models.store.log_base import BASE
from models.store.seen import unseen_of
from models.store.visible import GONE, SNOOZED, STANDING, VISIBLE
from models.tables import badges, changes, deliveries, inboxes, notifications, read_marks
from notifier.core.log import (
    ARCHIVED,
    MAX_BEHIND,
    UPDATED,
    WINDOW,
    Entry,
    Item,
    Snapshot,
    Status,
    reset_reason,
)
from notifier.core.states import WITHDRAWN as WITHDRAWN_STATES
from notifier.outbox.dialect import Rows
from notifier.outbox.types import AnyRow, UuidText, milliseconds

d, n, i = deliveries.c, notifications.c, inboxes.c

FEW = 64  # entries of one span that are named one by one; more are a range
SPANS_AT_ONCE = 50

_ARRIVED = (
    d.seq, n.event, n.id, n.sender, n.accepted_at, n.data, d.unread, d.inbox,
    GONE.label("gone"), d.collapsed, d.returned_at, n.category, n.version, d.quiet,
)  # fmt: skip
_CHANGED = (changes.c.seq, changes.c.event, changes.c.data, changes.c.unread, changes.c.at)

#: When an entry was read: by itself, or by the first watermark that covers it.
READ_AT: sa.ColumnElement[Any] = sa.case(
    (d.read_at.is_not(None), d.read_at),
    (sa.or_(d.kept_unread, sa.not_(d.inbox)), sa.null()),
    else_=sa.select(read_marks.c.at)
    .where(read_marks.c.user_id == d.user_id, read_marks.c.through >= d.seq)
    .order_by(read_marks.c.through)
    .limit(1)
    .correlate(deliveries)
    .scalar_subquery(),
)


def snapshot(connection: Connection, user_id: str, after: int | None) -> Snapshot:
    """Return what a socket of `user_id` that has seen the log up to `after` starts from.

    `after` None: a fresh window. The connection must see one consistent moment. Raises TimelineChanged.
    """
    (at,) = snapshots(connection, [(user_id, after)])
    assert at is not None
    return at


def snapshots(
    connection: Connection, requests: Sequence[tuple[str, int | None]], *, near: int = MAX_BEHIND
) -> list[Snapshot | None]:
    """Return `snapshot(user_id, after)` for each request, in few statements.

    None for those that are more than `near` entries behind: each of them is work of its own.
    """
    heads = inbox_rows(connection, {user_id for user_id, _ in requests})
    all_known = all(user_id in heads for user_id, _ in requests)
    base = log_base.known(next(iter(heads.values())).base) if all_known else log_base.current(connection)
    counts = badges_of(connection, heads)
    spans = []
    for user_id, after in requests:
        seq = max(heads[user_id].seq, base) if user_id in heads else base
        if after is not None and base <= after < seq <= after + near:
            spans.append((user_id, after, seq))
    logs = logs_of(connection, spans)
    unseen = unseen_of(connection, heads.values())
    found: list[Snapshot | None] = []
    for user_id, after in requests:
        head = heads.get(user_id)
        seq, unread = (max(head.seq, base), head.unread) if head else (base, 0)
        purged = head.purged_seq if head else base
        reset = reset_reason(after, seq, purged, base) if after is not None else None
        badge = counts.get(user_id, {})
        seen = (head.seen, unseen[user_id]) if head else (0, 0)
        if after is None or reset is not None:
            items = unread_items(connection, user_id, head.read_through, WINDOW) if head and unread else []
            found.append(Snapshot(seq, unread, badge, reset, items[::-1], None, *seen))
        elif seq - after <= near:
            found.append(Snapshot(seq, unread, badge, None, None, logs.get((user_id, after), ()), *seen))
        else:
            found.append(None)
    return found


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


_INBOX = sa.select(inboxes, BASE.label("base")).where(i.user_id == sa.bindparam("of_user"))
_LOCKED_INBOX = _INBOX.with_for_update(nowait=True)


def inbox_row(connection: Connection, user_id: str, *, lock: bool = False) -> AnyRow | None:
    """Return a user's inbox row, with `base` (see `log_base`); None before anything was sent to them."""
    return connection.execute(_LOCKED_INBOX if lock else _INBOX, {"of_user": user_id}).first()


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


def unread_items(
    connection: Connection, user_id: str, read_through: int, limit: int, before: int | None = None
) -> list[Item]:
    """Return unread items, newest first: those after the watermark, and those kept unread below it."""
    base = _items(user_id, before).where(d.read_at.is_(None), VISIBLE).limit(limit)
    kept = connection.execute(base.where(d.kept_unread, d.seq <= read_through))
    if before is not None and before <= read_through + 1:
        return list(_read(kept))
    fresh = connection.execute(base.where(d.inbox, d.seq > read_through))
    newest = merge(_read(fresh), _read(kept), key=lambda item: -item.seq)
    return [item for item, _ in zip(newest, range(limit), strict=False)]


def page(
    connection: Connection, user_id: str, status: Status, limit: int, before: int | None
) -> tuple[list[Item], AnyRow | None]:
    """Return a page of the inbox, newest first, and the inbox's row; `before` is a seq."""
    head = inbox_row(connection, user_id)
    if head is None:
        return [], None
    if status is Status.UNREAD:
        return unread_items(connection, user_id, head.read_through, limit, before), head
    query = _items(user_id, before).where(d.inbox, SNOOZED if status is Status.SNOOZED else VISIBLE)
    query = query.limit(limit)
    if status is Status.ARCHIVED:
        query = query.where(d.archived_at.is_not(None))
    elif status is Status.READ:
        below = sa.and_(d.seq <= head.read_through, sa.not_(d.kept_unread))
        query = query.where(d.archived_at.is_(None), sa.or_(d.read_at.is_not(None), below))
    return list(_read(connection.execute(query))), head


def _items(user_id: str, before: int | None) -> sa.Select[Any]:
    query = (
        sa.select(
            d.seq,
            n.event,
            n.id,
            n.sender,
            n.accepted_at,
            n.data,
            READ_AT,
            d.archived_at,
            d.collapsed,
            d.returned_at,
            d.until,
            n.category,
            n.version,
        )
        .join_from(deliveries, notifications, d.notification_id == n.id)
        .where(d.user_id == user_id, STANDING)
        .order_by(d.seq.desc())
    )
    return query if before is None else query.where(d.seq < before)


def _read(rows: Iterable[Any]) -> Iterable[Item]:
    for seq, event, id, sender, at, data, read_at, archived_at, *more in rows:
        collapsed, returned_at, until, category, version = more
        yield Item(
            seq,
            event,
            id,
            sender,
            milliseconds(at),
            data,
            milliseconds(read_at) if read_at else None,
            milliseconds(archived_at) if archived_at else None,
            collapsed,
            returned_at is not None,
            milliseconds(until) if until else None,
            category,
            version,
        )


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
