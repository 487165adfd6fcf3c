"""The steps of an erasure: each is one short transaction's work and handles up to `limit` rows.

A step returns counts of what it did; an empty result: nothing of its kind is left. What was for this user
alone is deleted; a notification to several keeps its row, and counts the erased. Reports keep their sums:
deliveries go to the history, as a purge does it (`models.store.purge`).

Lock order: a notification, then inboxes, deliveries, channel rows, then other notifications' counters.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.erasure_rules import OWNED
from models.store import audience, inbox, purge
from models.store.inbox_heads import inbox_row
from models.tables import (
    ACCEPTED,
    DISPATCHED,
    badges,
    changes,
    deliveries,
    inboxes,
    metadata,
    notifications,
    owed,
    reach,
    suppressed,
)
from notifier.outbox.types import AnyRow, UtcDateTime, not_before

Counts = Mapping[str, int]
Step = Callable[..., Counts]

n, d, c, o, r, s = notifications.c, deliveries.c, changes.c, owed.c, reach.c, suppressed.c

ERROR = "it named a user who was erased"
#: In the statements' text, so that partial indexes serve them.
_ACCEPTED = sa.text("state = 'accepted'")
_ALONE = sa.text(
    "recipient IS NOT NULL AND state IN ('scheduled', 'dead', 'canceled', 'retracted', 'expired')"
)
_WAITING = tuple(sa.text(f"state = '{state}'") for state in ("accepted", "scheduled", "dead"))


def alone(connection: Connection, user_id: str, *, limit: int, now: datetime) -> Counts:  # noqa: ARG001
    """Delete notifications to this user alone that have not reached them."""
    gone = 0
    for state in (_ACCEPTED, _ALONE):
        ids = sa.select(n.number).where(state, n.recipient == user_id, sa.not_(_HAS_DELIVERY)).limit(limit)
        numbers = sorted(connection.scalars(ids))
        if numbers:
            # Asked again: another transaction may have dispatched one meanwhile.
            mine = (n.number.in_(numbers), n.recipient == user_id, n.state != DISPATCHED)
            deleted = sa.delete(notifications).where(*mine, sa.not_(_HAS_DELIVERY))
            gone += connection.execute(deleted).rowcount
    return {"notifications": gone} if gone else {}


_HAS_DELIVERY = sa.exists().where(d.notification_id == n.id)


def places(connection: Connection, user_id: str, *, limit: int, now: datetime) -> Counts:  # noqa: ARG001
    """Replace the user in one waiting audience by null. `limit` is not used."""
    for state in _WAITING:
        held = audience.holds(connection, user_id, n.audience)
        found = sa.select(n.number).where(state, n.audience.is_not(None), held)
        number = connection.scalar(found.order_by(n.number).limit(1))
        if number is None:
            continue
        row = connection.execute(
            sa.select(n.audience, n.error).where(n.number == number).with_for_update()
        ).first()
        if row is None or not row.audience or user_id not in row.audience:
            return {"places": 0}  # it was dispatched meanwhile: look again
        values: dict[str, Any] = {"audience": [None if one == user_id else one for one in row.audience]}
        if row.error and user_id in row.error:
            values["error"] = ERROR
        connection.execute(sa.update(notifications).where(n.number == number).values(**values))
        return {"places": 1}
    return {}


def debts(connection: Connection, user_id: str, *, limit: int, now: datetime) -> Counts:
    """Delete what is owed to the user, and count the user as handled."""
    numbers = connection.scalars(
        sa.select(o.number).where(o.user_id == user_id).order_by(o.number).limit(limit)
    ).all()
    for number in numbers:
        row = connection.execute(
            sa.select(n.state, n.recipients, n.reached, n.suppressed, n.erased)
            .where(n.number == number)
            .with_for_update()
        ).first()
        mine = sa.delete(owed).where(o.number == number, o.user_id == user_id)
        if not connection.execute(mine).rowcount or row is None or row.state != ACCEPTED:
            continue
        count = (row.erased or 0) + 1
        values: dict[str, Any] = {"erased": count}
        if row.reached + row.suppressed + count == row.recipients:
            present = sa.literal(now, UtcDateTime)
            values |= {
                "state": DISPATCHED,
                "audience": sa.null(),
                "dispatched_at": not_before(n.accepted_at, present),
                "error": None,
                "next_attempt_at": None,
            }
        connection.execute(sa.update(notifications).where(n.number == number).values(**values))
    return {"places": len(numbers)} if numbers else {}


def channel_rows(connection: Connection, user_id: str, *, limit: int, now: datetime) -> Counts:  # noqa: ARG001
    """Delete rows of channels; a message that was handed to a provider cannot be stopped."""
    gone = _delete_some(connection, reach, (r.id,), user_id, limit)
    return {"channel_rows": gone} if gone else {}


def entries(connection: Connection, user_id: str, *, limit: int, now: datetime) -> Counts:
    """Delete the oldest entries of the user's log, as a purge does."""
    head = inbox_row(connection, user_id, lock=True)
    if head is None:
        return {}
    # Usually nothing is kept below `purged_seq` but dead index entries, which are passed over one by one.
    seqs = _seqs(connection, user_id, head.purged_seq, limit) or _seqs(connection, user_id, -1, limit)
    if not seqs:
        return {}
    spans = {user_id: (seqs[0] - 1, seqs[-1])}
    gone = purge.gone_of(connection, spans)
    ids = [row.notification_id for row in gone]
    if ids:
        connection.execute(sa.delete(reach).where(r.user_id == user_id, r.notification_id.in_(ids)))
    purge.remember(connection, gone)
    unread = sum(row.inbox and row.read_at is None and row.hidden is None for row in gone)
    if seqs[-1] == head.seq:
        none = sa.update(inboxes).where(inboxes.c.user_id == user_id)
        connection.execute(none.values(unread=0))
    elif unread:
        # Until the next step the count is right for what is left, and the log says why.
        inbox.expire(connection, user_id, head, seqs[-1], unread, now=now)
    purge.delete(connection, spans)
    return {
        "entries": len(gone),
        "changes": len(seqs) - len(gone),
        "notifications": _settle(connection, gone),
    }


def _seqs(connection: Connection, user_id: str, after: int, limit: int) -> Sequence[int]:
    """Return the first seqs of the user's log after that one."""
    some = [
        sa.select(t.c.seq)
        .where(t.c.user_id == user_id, t.c.seq > after)
        .order_by(t.c.seq)
        .limit(limit)
        .subquery()
        for t in (deliveries, changes)
    ]
    both = sa.union_all(*(sa.select(one.c.seq) for one in some)).subquery()
    return connection.scalars(sa.select(both.c.seq).order_by(both.c.seq).limit(limit)).all()


def _settle(connection: Connection, gone: Sequence[AnyRow]) -> int:
    """Delete notifications that nobody has any more, count the erased of others; return how many went."""
    tallies = purge.tally(gone)
    deleted = _delete_unowned(connection, list(tallies))
    bind = sa.bindparam
    left = [(id, *tallies[id]) for id in sorted(set(tallies) - deleted)]
    if left:
        connection.execute(
            sa.update(notifications)
            .where(n.id == bind("of_id"))
            .values(
                erased_reached=sa.func.coalesce(n.erased_reached, 0) + bind("gone"),
                purged_delivered=n.purged_delivered + bind("were_delivered"),
                purged_read=n.purged_read + bind("were_read"),
            ),
            [{"of_id": id, "gone": a, "were_delivered": b, "were_read": read} for id, a, b, read in left],
        )
    return len(deleted)


def _delete_unowned(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Delete those of these notifications that nobody has any more; return them."""
    if not ids:
        return set()
    unowned = (
        n.state.in_(purge.DONE),
        sa.not_(_HAS_DELIVERY),
        sa.not_(sa.exists().where(s.notification_id == n.id)),
    )
    return set(connection.scalars(sa.delete(notifications).where(n.id.in_(ids), *unowned).returning(n.id)))


def switched_off(connection: Connection, user_id: str, *, limit: int, now: datetime) -> Counts:  # noqa: ARG001
    """Delete the rows that say what the user had switched off."""
    ids = connection.scalars(
        sa.select(s.notification_id).where(s.user_id == user_id).order_by(s.notification_id).limit(limit)
    ).all()
    if not ids:
        return {}
    connection.execute(sa.delete(suppressed).where(s.user_id == user_id, s.notification_id.in_(ids)))
    deleted = _delete_unowned(connection, ids)
    left = sorted(set(ids) - deleted)
    if left:
        more = {"erased_suppressed": sa.func.coalesce(n.erased_suppressed, 0) + 1}
        connection.execute(sa.update(notifications).where(n.id.in_(left)).values(**more))
    return {"switched_off": len(ids), "notifications": len(deleted)}


def rest(connection: Connection, user_id: str, *, limit: int, now: datetime) -> Counts:  # noqa: ARG001
    """Delete rows of the other tables, but for the inbox and its badges (`finish`)."""
    for name in _REST:
        table = metadata.tables[name]
        gone = _delete_some(connection, table, tuple(table.primary_key.columns), user_id, limit)
        if gone:
            return {name.removeprefix("notifier_"): gone}
    return {}


_HANDLED = (reach, deliveries, changes, suppressed, owed, inboxes, badges)
_REST = tuple(name for name in OWNED if metadata.tables[name] not in _HANDLED)

#: In this order; `finish` comes last.
STEPS: tuple[Step, ...] = (alone, places, debts, channel_rows, entries, switched_off, rest)


def _delete_some(
    connection: Connection, table: sa.Table, key: Sequence[sa.Column[Any]], user_id: str, limit: int
) -> int:
    mine = sa.select(*key).where(table.c.user_id == user_id).order_by(*key).limit(limit)
    rows = connection.execute(mine).all()
    if not rows:
        return 0
    found = (
        sa.tuple_(*key).in_([tuple(row) for row in rows])
        if len(key) > 1
        else key[0].in_([k for (k,) in rows])
    )
    return connection.execute(sa.delete(table).where(found)).rowcount


def waiting_for(connection: Connection, user_id: str) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of notifications that name the user and have not reached them."""
    alone_ = [sa.and_(state, n.recipient == user_id, sa.not_(_HAS_DELIVERY)) for state in (_ACCEPTED, _ALONE)]
    held = audience.holds(connection, user_id, n.audience)
    return [*alone_, *(sa.and_(state, n.audience.is_not(None), held) for state in _WAITING)]
