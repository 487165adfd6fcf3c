"""Write deliveries, the badges that they set and what they collapse; return the log's new entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from models.store import collapse, special
from models.store.collapse import Collapse
from models.store.switched_off import NOTHING, Decided
from models.tables import badges, deliveries
from notifier.core.log import Entry
from notifier.outbox.dialect import Insertion
from notifier.outbox.types import AnyRow, milliseconds


@dataclass(frozen=True, slots=True)
class Work:
    """A notification's row, and those of its recipients who are to get it now.

    Attributes:
        row: as `special.complete` returns it.
        users: those who want it.
        given: part of them: those whose inbox is free.
        decided: who has switched it off, and for whom it is quiet.
        erased: how many places of erased users are among them.
    """

    row: AnyRow
    users: Sequence[str]
    given: Sequence[str] = ()
    decided: Decided = NOTHING
    erased: int = 0

    @property
    def tried(self) -> int:
        """The number of recipients of this work."""
        return len(self.users) + len(self.decided.off) + self.erased


_COLUMNS = ("user_id", "seq", "notification_id", "inbox", "unread", "persisted_at")
_DELIVER = Insertion(deliveries, _COLUMNS)
_DELIVER_WITH_KEYS = Insertion(deliveries, (*_COLUMNS, *collapse.COLUMNS))
_DELIVER_VERSIONS = Insertion(deliveries, (*_COLUMNS, *collapse.COLUMNS, "version"))
_SET_BADGES = Insertion(
    badges,
    ("user_id", "type", "count", "seq"),
    lambda statement: statement.on_conflict_do_update(
        index_elements=[badges.c.user_id, badges.c.type],
        set_={"count": statement.excluded.count, "seq": statement.excluded.seq},
    ),
)


def deliver(
    connection: Connection, work: Sequence[Work], heads: dict[str, list[int]], now: datetime
) -> list[tuple[str, Entry]]:
    """Write the deliveries, and the badges they set; return the log's new entries."""
    rows: list[dict[str, Any]] = []
    entries: list[tuple[str, Entry]] = []
    set_badges: dict[tuple[str, str], dict[str, Any]] = {}
    more = [special.options(one.row) for one in work]
    versions = any(one.version for one in more)
    keys = _keys(work, more)
    collapses = Collapse(connection, [(u, keys[n]) for n in keys for u in work[n].given]) if keys else None
    for number, one in enumerate(work):
        row = one.row
        timestamp = milliseconds(row.accepted_at)
        persisted = max(now, row.accepted_at)  # whose clock may be ahead of ours
        for user in one.given:
            head = heads[user]
            new: dict[str, Any] = {}
            if versions:
                new |= {**collapse.NOTHING, "version": more[number].version}
            if collapses is not None:
                new |= collapse.NOTHING
                if number in keys and (gone := collapses.arrives(user, keys[number], new, head, row.id, now)):
                    entries.append((user, gone))
            head[0] += 1
            head[1] += row.inbox
            seq, unread = head
            new |= {
                "user_id": user,
                "seq": seq,
                "notification_id": row.id,
                "inbox": row.inbox,
                "unread": unread,
                "persisted_at": persisted,
            }
            rows.append(new)
            arrived = Entry(
                seq,
                row.event,
                row.id,
                row.sender,
                timestamp,
                row.data,
                unread,
                row.inbox,
                collapsed=new.get("collapsed"),
                category=more[number].shown_category,
                version=more[number].version,
            )
            entries.append((user, arrived))
            if row.event == "badge":
                kind, count = row.data["type"], row.data["count"]
                set_badges[user, kind] = {"user_id": user, "type": kind, "count": count, "seq": seq}
    if rows:
        plain = _DELIVER_WITH_KEYS if collapses else _DELIVER
        (_DELIVER_VERSIONS if versions else plain).execute(connection, rows)
    if collapses:
        collapses.write(now)
    if set_badges:
        _SET_BADGES.execute(connection, list(set_badges.values()))
    return entries


def _keys(work: Sequence[Work], more: Sequence[special.Options]) -> dict[int, str]:
    """Return the digests of the collapse keys, by the place of the notification in `work`."""
    keys = {number: one.collapse_key for number, one in enumerate(more)}
    return {number: collapse.digest(work[number].row.sender, key) for number, key in keys.items() if key}
