"""Changes of state: read, unread, archived, snoozed, seen.

Each takes the next seq of the user's log, under the inbox row's lock, and writes one log entry, however many
notifications it moves. What comes back from a snooze takes a seq for each (`models.store.snooze`).

The moves themselves are data: `notifier.core.log.MOVES`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import log_base
from models.store.inbox_heads import inbox_row
from models.store.lock_order import update_in_order
from models.store.log import change_entry
from models.store.pages import READ_AT
from models.store.visible import REMOVABLE, VISIBLE
from models.tables import changes, deliveries, inboxes, read_marks
from notifier.core.log import ARCHIVED, MOVES, READ, SEEN, SNOOZE, UNREAD, Entry, Status, Why
from notifier.outbox.types import AnyRow, UtcDateTime, not_before

d, i = deliveries.c, inboxes.c


@dataclass(frozen=True, slots=True)
class Changed:
    """The result of a change of state.

    Attributes:
        seq: the log's head after it.
        unread: the exact count after it.
        entries: the log's new entries, in order; none when nothing changed.
        ids: the notifications that were moved one by one (none for a watermark).
    """

    seq: int
    unread: int
    entries: Sequence[Entry] = ()
    ids: Sequence[str] = ()


def change(
    connection: Connection,
    user_id: str,
    op: str,
    ids: Sequence[str],
    *,
    now: datetime,
    until: datetime | None = None,
) -> Changed:
    """Move the entries `ids` as `op` (READ, UNREAD, ARCHIVED or SNOOZE) says.

    Ids that are unknown, another user's, or already there are passed over. `until`: for SNOOZE.
    """
    head = inbox_row(connection, user_id, lock=True)
    base = base_of(connection, head, now)
    if head is None:
        return Changed(base, 0)
    seq = max(head.seq, base)
    sources, target = MOVES[op]
    rows = connection.execute(
        sa.select(
            d.seq,
            d.notification_id,
            d.persisted_at,
            d.archived_at,
            d.delivered_at,
            d.hidden,
            READ_AT.label("read"),
        ).where(d.user_id == user_id, d.notification_id.in_(set(ids)), d.inbox, REMOVABLE)
    ).all()
    # Sorted here: SQLite would rather walk the user's whole log than sort a handful of rows.
    moved = sorted((row for row in rows if _status(row) in sources), key=lambda row: row.seq)
    if not moved:
        return Changed(seq, head.unread)
    if op == SNOOZE:
        connection.execute(
            _SNOOZE, [{**_moved(user_id, row, target, now), "new_until": until} for row in moved]
        )
    else:
        connection.execute(_UPDATE, [_moved(user_id, row, target, now) for row in moved])
    back = [row.seq for row in moved if row.hidden is not None]
    if back and op != SNOOZE:
        connection.execute(_UNHIDE, [{"of_user": user_id, "at_seq": place} for place in back])
    unread = head.unread + (
        len(moved) if op == UNREAD else -sum(_status(row) is Status.UNREAD for row in moved)
    )
    event = ARCHIVED if op == SNOOZE else op
    data: dict[str, Any] = {"ids": [row.notification_id for row in moved]}
    if event == ARCHIVED:
        data["why"] = (Why.SNOOZED if op == SNOOZE else Why.USER).value
    return _append(connection, user_id, seq + 1, event, data, unread, now)


def base_of(connection: Connection, head: AnyRow | None, now: datetime) -> int:
    """Return from where the log continues at least; a log's next seq must never be below it."""
    return log_base.settle(connection, head.base if head else log_base.asked(connection), now=now)


_bind = sa.bindparam
_ROW = sa.update(deliveries).where(d.user_id == _bind("of_user"), d.seq == _bind("at_seq"))
_UPDATE = _ROW.values(
    read_at=_bind("new_read"),
    archived_at=_bind("new_archived"),
    delivered_at=_bind("new_delivered"),
    kept_unread=_bind("new_kept"),
)
# A watermark passes it over, because it keeps its own word of when it was read, or that it was not.
_SNOOZE = _ROW.values(
    hidden=Why.SNOOZED.value,
    until=_bind("new_until"),
    archived_at=_bind("new_archived"),
    read_at=_bind("new_read"),
    delivered_at=_bind("new_delivered"),
    kept_unread=_bind("new_kept"),
)
_UNHIDE = _ROW.values(hidden=None, until=None)


def _status(row: AnyRow) -> Status:
    if row.hidden is not None:
        return Status.SNOOZED
    if row.archived_at is not None:
        return Status.ARCHIVED
    return Status.UNREAD if row.read is None else Status.READ


def _moved(user_id: str, row: AnyRow, target: Status, now: datetime) -> dict[str, Any]:
    now = max(now, row.persisted_at)  # another clock told when it came
    read_at = {Status.UNREAD: None, Status.SNOOZED: row.read}.get(target, row.read or now)
    # What was read or snoozed has been delivered, and stays so when it is marked unread again.
    delivered = (row.delivered_at, row.read, read_at, now if target is Status.SNOOZED else None)
    return {
        "of_user": user_id,
        "at_seq": row.seq,
        "new_read": read_at,
        "new_archived": now if target is Status.ARCHIVED else None,
        "new_delivered": min(filter(None, delivered), default=None),
        "new_kept": read_at is None,
    }


def read_through(connection: Connection, user_id: str, through: int, *, now: datetime) -> Changed:
    """Mark every entry up to seq `through` as read: a watermark, not an update of each entry.

    Only the entries that were marked unread after an earlier watermark are updated one by one.
    """
    head = inbox_row(connection, user_id, lock=True)
    base = base_of(connection, head, now)
    if head is None:
        return Changed(base, 0)
    seq = max(head.seq, base)
    through = min(through, head.seq)
    asked = {"of_user": user_id, "through": through, "present": now}
    kept = connection.execute(_read_kept(connection.dialect.name), asked).rowcount
    left = head.unread - kept
    if through > head.read_through:
        # What is left unread is after the new watermark, and so after the old one too.
        query = sa.select(sa.func.count()).where(
            d.user_id == user_id, d.inbox, d.read_at.is_(None), VISIBLE, d.seq > through
        )
        left = connection.scalar(query) or 0
    if left == head.unread:
        return Changed(seq, head.unread)
    if through > head.read_through:
        connection.execute(sa.update(inboxes).where(i.user_id == user_id).values(read_through=through))
        newest = sa.select(d.persisted_at).where(d.user_id == user_id, d.seq <= through)
        persisted = connection.scalar(newest.order_by(d.seq.desc()).limit(1))
        marked = max(now, persisted or now)  # another clock told when it came
        connection.execute(sa.insert(read_marks), {"user_id": user_id, "through": through, "at": marked})
    return _append(connection, user_id, seq + 1, READ, {"through": through}, left, now)


@cache
def _read_kept(dialect: str) -> sa.Update:
    of_user = (d.user_id == _bind("of_user"), d.seq <= _bind("through"))
    kept = sa.and_(*of_user, d.kept_unread, d.read_at.is_(None), VISIBLE)
    update, _ = update_in_order(dialect, kept)
    at = not_before(d.persisted_at, _bind("present", type_=UtcDateTime))
    return update.values(read_at=at, kept_unread=False, delivered_at=sa.func.coalesce(d.delivered_at, at))


def expire(
    connection: Connection, user_id: str, head: AnyRow, through: int, count: int, *, now: datetime
) -> None:
    """Write that `count` unread entries up to seq `through` are read, which the caller deletes.

    `head`: the inbox's row, locked.
    """
    seq = max(head.seq, base_of(connection, head, now)) + 1
    _append(connection, user_id, seq, READ, {"through": through}, head.unread - count, now)


def seen(connection: Connection, user_id: str, through: int, *, now: datetime) -> Changed:
    """Note that everything up to seq `through` was on the screen: a watermark, which only moves forward."""
    head = inbox_row(connection, user_id, lock=True)
    base = base_of(connection, head, now)
    if head is None:
        return Changed(base, 0)
    through = min(through, head.seq)
    if through <= head.seen:
        return Changed(max(head.seq, base), head.unread)
    connection.execute(sa.update(inboxes).where(i.user_id == user_id).values(seen=through))
    return _append(connection, user_id, max(head.seq, base) + 1, SEEN, {"through": through}, head.unread, now)


def _append(
    connection: Connection,
    user_id: str,
    seq: int,
    event: str,
    data: dict[str, Any],
    unread: int,
    now: datetime,
) -> Changed:
    connection.execute(
        sa.insert(changes),
        {"user_id": user_id, "seq": seq, "event": event, "data": data, "unread": unread, "at": now},
    )
    connection.execute(sa.update(inboxes).where(i.user_id == user_id).values(seq=seq, unread=unread))
    return Changed(seq, unread, [change_entry(seq, event, data, unread, now)], data.get("ids", ()))
