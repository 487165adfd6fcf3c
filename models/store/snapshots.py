"""Snapshots for starting sockets: the head, the counts, and the window or the missed entries."""

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from models.store import log_base
from models.store.inbox_heads import badges_of, inbox_rows
from models.store.log import logs_of
from models.store.pages import unread_items
from models.store.seen import unseen_of
from notifier.core.log import (
    MAX_BEHIND,
    WINDOW,
    Snapshot,
    reset_reason,
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
