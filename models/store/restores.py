"""After a restore: every log counts on where nobody has ever been.

A backup is older than what clients have seen. If logs went on from its heads, a client that stands at seq
50 of the lost history would be taken for one that stands at seq 50 of the new one, and would miss what is
new up to there. So all seqs move up, each user's by its own offset, until every head is at `base`: the
microseconds since 1970. No log has ever got that far in any history, however often which backup was
restored: an event takes longer than a microsecond. Whoever comes from before is below what is kept, or too
far behind, and is told to start afresh (`notifier.core.log.reset_reason`).
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from models.store.log import origin
from models.tables import badges, changes, deliveries, devices, inboxes, read_marks, restores, sockets
from notifier.core.errors import InvalidInput
from notifier.core.log import READ
from notifier.outbox.types import milliseconds

i = inboxes.c

#: table -> its columns that hold a seq; the inboxes come last, as the others' offsets are read from them.
SEQS: dict[sa.Table, tuple[str, ...]] = {
    deliveries: ("seq",),
    changes: ("seq",),
    read_marks: ("through",),
    badges: ("seq",),
    devices: ("acked_seq", "window_from", "log_from", "sent_seq"),
    sockets: ("after", "head", "window_from", "sent_seq"),
    inboxes: ("seq", "read_through", "purged_seq"),
}


def renumber(connection: Connection, *, now: datetime) -> int:
    """Move every log up to a new base; return how many logs there are.

    Raises InvalidInput when the clock says that this has been done already, later.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE notifier_inboxes IN EXCLUSIVE MODE"))  # readers go on
    base = milliseconds(now) * 1_000
    highest = max(origin(connection), connection.scalar(sa.select(sa.func.max(i.seq))) or 0)
    if base <= highest:
        raise InvalidInput(f"the clock says {now.isoformat()}, and a log is further than that: is it right?")
    _move_watermarks(connection, base)
    for table, columns in SEQS.items():
        offset = base - i.seq if table is inboxes else _offset(table.c.user_id, base)
        connection.execute(sa.update(table).values({name: table.c[name] + offset for name in columns}))
    connection.execute(sa.insert(restores), {"base": base, "restored_at": now})
    return connection.scalar(sa.select(sa.func.count()).select_from(inboxes)) or 0


def _offset(user_id: sa.ColumnElement[str], base: int) -> sa.ColumnElement[Any]:
    """How far a user's seqs move; somebody without an inbox stands at the origin."""
    moved = sa.select(base - i.seq).where(i.user_id == user_id).scalar_subquery()
    return sa.func.coalesce(moved, base)


def _move_watermarks(connection: Connection, base: int) -> None:
    """`inbox.read` with `through` has a seq in its data."""
    data = changes.c.data
    through = data["through"].as_string()
    moved = sa.cast(through, sa.BigInteger) + _offset(changes.c.user_id, base)
    if connection.dialect.name == "postgresql":
        place = sa.cast(["through"], postgresql.ARRAY(sa.Text))
        new = sa.func.jsonb_set(data, place, sa.func.to_jsonb(moved), type_=data.type)
    else:
        new = sa.func.json_set(data, "$.through", moved, type_=data.type)
    connection.execute(
        sa.update(changes).where(changes.c.event == READ, through.is_not(None)).values(data=new)
    )
