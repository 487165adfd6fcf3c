"""Log entries that tell a user's clients of something that is not an inbox entry."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import erased, log_base
from models.store.inbox_heads import inbox_row
from models.store.log import change_entry
from models.tables import changes, inboxes
from notifier.core.log import Entry
from notifier.outbox.dialect import insert

i = inboxes.c


def append(connection: Connection, user_id: str, event: str, data: dict[str, Any], *, now: datetime) -> Entry:
    """Write an entry at the next seq of a user's log, which it opens where there is none; return it.

    It changes no count. A locked inbox is an error, as for `models.store.inbox`.
    """
    connection.execute(insert(connection, inboxes).values(user_id=user_id).on_conflict_do_nothing())
    head = inbox_row(connection, user_id, lock=True)
    assert head is not None
    base = log_base.settle(connection, head.base, now=now)
    if head.seq == 0 and (began := erased.bases(connection, [user_id]).get(user_id, 0)) > base:
        erased.begin_log(connection, user_id, began, seqs=0)
        base = began
    seq = max(head.seq, base) + 1
    row = {"user_id": user_id, "seq": seq, "event": event, "data": data, "unread": head.unread, "at": now}
    connection.execute(sa.insert(changes), row)
    connection.execute(sa.update(inboxes).where(i.user_id == user_id).values(seq=seq))
    return change_entry(seq, event, data, head.unread, now)
