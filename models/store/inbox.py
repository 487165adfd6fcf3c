"""Changes of state: read, unread, archived.

Each takes the next seq of the user's log, under the inbox row's lock, and writes one log entry, however many
notifications it moves.

The moves themselves are data: `notifier.core.log.MOVES`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import log_base
from models.store.log import READ_AT, change_entry, inbox_row
from models.tables import changes, deliveries, inboxes, read_marks
from notifier.core.log import MOVES, READ, UNREAD, Entry, Status
from notifier.outbox.types import AnyRow, UtcDateTime, not_before

d, i = deliveries.c, inboxes.c


@dataclass(frozen=True, slots=True)
class Changed:
    """The outcome of a change of state.

    Attributes:
        seq: the log's head after it.
        unread: the exact count after it.
        entry: the log's new entry; None when nothing changed.
        ids: the notifications that were moved one by one (none for a watermark).
    """

    seq: int
    unread: int
    entry: Entry | None
    ids: Sequence[str] = ()


def change(connection: Connection, user_id: str, op: str, ids: Sequence[str], *, now: datetime) -> Changed:
    """Move the entries `ids` as `op` (READ, UNREAD or ARCHIVED) says.

    Ids that are unknown, another user's, or already there are passed over.
    """
    head = inbox_row(connection, user_id, lock=True)
    base = _base(connection, head, now)
    if head is None:
        return Changed(base, 0, None)
    seq = max(head.seq, base)
    sources, target = MOVES[op]
    rows = connection.execute(
        sa.select(
            d.seq, d.notification_id, d.persisted_at, d.archived_at, d.delivered_at, READ_AT.label("read")
        ).where(d.user_id == user_id, d.notification_id.in_(set(ids)), d.inbox)
    ).all()
    # Sorted here: SQLite would rather walk the user's whole log than sort a handful of rows.
    moved = sorted((row for row in rows if _status(row) in sources), key=lambda row: row.seq)
    if not moved:
        return Changed(seq, head.unread, None)
    connection.execute(_update(), [_moved(user_id, row, target, now) for row in moved])
    unread = head.unread + (
        len(moved) if op == UNREAD else -sum(_status(row) is Status.UNREAD for row in moved)
    )
    data = {"ids": [row.notification_id for row in moved]}
    return _append(connection, user_id, seq + 1, op, data, unread, now)


def _base(connection: Connection, head: AnyRow | None, now: datetime) -> int:
    """Return from where the log continues at least; a log's next seq must never be below it."""
    return log_base.settle(connection, head.base if head else log_base.asked(connection), now=now)


def _update() -> sa.Update:
    bind = sa.bindparam
    return (
        sa.update(deliveries)
        .where(d.user_id == bind("of_user"), d.seq == bind("at_seq"))
        .values(
            read_at=bind("new_read"),
            archived_at=bind("new_archived"),
            delivered_at=bind("new_delivered"),
            kept_unread=bind("new_kept"),
        )
    )


def _status(row: AnyRow) -> Status:
    if row.archived_at is not None:
        return Status.ARCHIVED
    return Status.UNREAD if row.read is None else Status.READ


def _moved(user_id: str, row: AnyRow, target: Status, now: datetime) -> dict[str, Any]:
    now = max(now, row.persisted_at)  # another clock told when it came
    read_at = None if target is Status.UNREAD else row.read or now
    return {
        "of_user": user_id,
        "at_seq": row.seq,
        "new_read": read_at,
        "new_archived": now if target is Status.ARCHIVED else None,
        # What was read has been delivered, and stays so when it is marked unread again.
        "new_delivered": min(filter(None, (row.delivered_at, row.read, read_at)), default=None),
        "new_kept": target is Status.UNREAD,
    }


def read_through(connection: Connection, user_id: str, through: int, *, now: datetime) -> Changed:
    """Mark every entry up to seq `through` as read: a watermark, not an update of each entry.

    Only the entries that were marked unread after an earlier watermark are updated one by one.
    """
    head = inbox_row(connection, user_id, lock=True)
    base = _base(connection, head, now)
    if head is None:
        return Changed(base, 0, None)
    seq = max(head.seq, base)
    through = min(through, head.seq)
    at = sa.literal(now, UtcDateTime)
    kept = connection.execute(
        sa.update(deliveries)
        .where(d.user_id == user_id, d.kept_unread, d.read_at.is_(None), d.seq <= through)
        .values(
            read_at=not_before(d.persisted_at, at),
            kept_unread=False,
            delivered_at=sa.func.coalesce(d.delivered_at, not_before(d.persisted_at, at)),
        )
    ).rowcount
    left = head.unread - kept
    if through > head.read_through:
        # What is left unread is after the new watermark, and so after the old one too.
        query = sa.select(sa.func.count()).where(
            d.user_id == user_id, d.inbox, d.read_at.is_(None), d.seq > through
        )
        left = connection.scalar(query) or 0
    if left == head.unread:
        return Changed(seq, head.unread, None)
    if through > head.read_through:
        connection.execute(sa.update(inboxes).where(i.user_id == user_id).values(read_through=through))
        newest = sa.select(d.persisted_at).where(d.user_id == user_id, d.seq <= through)
        persisted = connection.scalar(newest.order_by(d.seq.desc()).limit(1))
        marked = max(now, persisted or now)  # another clock told when it came
        connection.execute(sa.insert(read_marks), {"user_id": user_id, "through": through, "at": marked})
    return _append(connection, user_id, seq + 1, READ, {"through": through}, left, now)


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
    return Changed(seq, unread, change_entry(seq, event, data, unread, now), data.get("ids", ()))
