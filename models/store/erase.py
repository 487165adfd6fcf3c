"""Erase a user: note it, count what is left, finish; the steps in between are `models.store.erase_steps`.

A transaction that wrote before the erasure was noted may commit at any time after it, with rows that no
step has seen. So the erasure finishes when all of these have ended (`writers`).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.erasure_rules import OWNED
from models.store import erased
from models.store.erase_steps import waiting_for
from models.store.inbox_heads import inbox_row
from models.tables import addresses, badges, inboxes, metadata, notifications, reach
from notifier.core.errors import DatabaseLocked
from notifier.outbox.dialect import POSTGRESQL
from notifier.outbox.types import AnyRow


def left(connection: Connection, user_id: str) -> dict[str, int]:
    """Return the number of rows left, by kind."""
    counts: Counter[str] = Counter()
    for name in OWNED:
        table = metadata.tables[name]
        mine = sa.select(sa.func.count()).select_from(table).where(table.c.user_id == user_id)
        counts[name] = connection.scalar(mine) or 0
    for condition in waiting_for(connection, user_id):
        mine = sa.select(sa.func.count()).select_from(notifications).where(condition)
        counts["notifications"] += connection.scalar(mine) or 0
    return {name: count for name, count in counts.items() if count}


def begin(connection: Connection, user_id: str, *, now: datetime) -> bool:
    """Record the erasure of the user from now on; return whether there is anything to erase.

    Nothing is noted for a user who was erased before and has had nothing since.
    """
    known = erased.find(connection, user_id)
    if known is not None and known.finished and not left(connection, user_id):
        return False
    head = inbox_row(connection, user_id, lock=True)
    erased.note(connection, user_id, head=head.seq if head else 0, finished=False, now=now)
    return True


def finish(connection: Connection, user_id: str, *, now: datetime) -> bool:
    """Delete the inbox when nothing else is left; return whether that was so.

    What is sent to the id from then on is a new log.
    """
    head = inbox_row(connection, user_id, lock=True)
    if set(left(connection, user_id)) - {"notifier_inboxes", "notifier_badges"}:
        return False
    for table in (badges, inboxes):
        connection.execute(sa.delete(table).where(table.c.user_id == user_id))
    erased.note(connection, user_id, head=head.seq if head else 0, finished=True, now=now)
    return True


_NAMED = (*OWNED, notifications.name)
_WRITERS = sa.text("""
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted
    AND pid IS DISTINCT FROM pg_backend_pid() -- a prepared transaction has no pid
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND relation = ANY(CAST(CAST(:tables AS text[]) AS regclass[]))
    """)


def writers(connection: Connection) -> frozenset[str]:
    """Return the open transactions that have written to a table which names users; SQLite has none.

    PostgreSQL keeps the table's lock of a writer until its end. CREATE INDEX CONCURRENTLY waits likewise.
    """
    if connection.dialect.name != POSTGRESQL:
        return frozenset()
    return frozenset(connection.scalars(_WRITERS, {"tables": list(_NAMED)}))


def check_ended(connection: Connection, before: frozenset[str]) -> None:
    """Raise DatabaseLocked while one of these `writers` is open."""
    if before & writers(connection):
        raise DatabaseLocked("a transaction that wrote before the erasure has not ended")


def wipe(connection: Connection) -> None:
    """Make SQLite overwrite deleted data on this connection; otherwise the file keeps it for some time."""
    if connection.dialect.name != POSTGRESQL:
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def shorten(connection: Connection) -> None:
    """Empty SQLite's write-ahead log if nobody reads from it; otherwise a later checkpoint does."""
    if connection.dialect.name != POSTGRESQL:
        connection.exec_driver_sql("COMMIT")  # it must run outside a transaction
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")


def mailboxes(connection: Connection, user_id: str) -> list[str]:
    """Return the email addresses to which mail may have been sent."""
    a = addresses.c
    return list(connection.scalars(sa.select(a.address).where(a.user_id == user_id, a.channel == "email")))


def mail_names(connection: Connection, user_id: str, *, after: int, limit: int) -> Sequence[AnyRow]:
    """Return (row's id, the provider's name for the mail) of sent mails."""
    r = reach.c
    asked = sa.select(r.id, r.provider_id).where(
        r.user_id == user_id, r.channel == "email", r.id > after, r.provider_id.is_not(None)
    )
    return connection.execute(asked.order_by(r.id).limit(limit)).all()
