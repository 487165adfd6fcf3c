"""Purge: the beginning of users' logs goes, and reports keep what it counted.

What goes is below `inboxes.purged_seq`; so the log has no gap, and a client that asks for it is reset.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import inbox
from models.tables import (
    CANCELED,
    DISPATCHED,
    EXPIRED,
    RETRACTED,
    changes,
    deliveries,
    inboxes,
    notifications,
    read_marks,
    report_history,
)
from notifier.outbox.dialect import insert
from notifier.outbox.types import AnyRow, UtcDateTime, UuidText

d, c, i, n, h = deliveries.c, changes.c, inboxes.c, notifications.c, report_history.c

#: What a delivery's age is counted from: a snoozed one is kept until it is back, and as long again.
_AGE = sa.func.coalesce(d.until, d.returned_at, d.persisted_at, type_=UtcDateTime)

#: Nothing is to come any more.
DONE = (DISPATCHED, CANCELED, RETRACTED, EXPIRED)
LOCKED = 20  # inboxes locked by one transaction at most

_view = sa.table(
    "notifier_report_deliveries",
    sa.column("user_id", sa.String),
    sa.column("seq", sa.BigInteger),
    sa.column("notification_id", UuidText),
    sa.column("event", sa.String),
    sa.column("type", sa.String),
    sa.column("accepted_at", UtcDateTime),
    sa.column("delivered_at", UtcDateTime),
    sa.column("read_at", UtcDateTime),
    sa.column("accepted_to_delivered_ms", sa.BigInteger),
)


Span = tuple[int, int]  # a part of a log: the seqs after the first number, up to the second


@dataclass(frozen=True, slots=True)
class Purged:
    """What one transaction deleted; `through`: the last user whose log is finished; None: none is."""

    entries: int
    notifications: int
    through: str | None


def overdue(
    connection: Connection, before: datetime, after: str, limit: int
) -> tuple[Sequence[str], str | None]:
    """Look at the `limit` users that follow `after`.

    Returns:
        Those whose oldest entry is older than `before`, in order, and the last user looked at; None when
        there are no more.
    """
    some = sa.select(inboxes).where(i.user_id > after).order_by(i.user_id).limit(limit).subquery()

    def oldest(table: sa.Table, at: sa.ColumnElement[datetime]) -> sa.ScalarSelect[Any]:
        t = table.c
        kept = sa.select(at).where(t.user_id == some.c.user_id, t.seq > some.c.purged_seq)
        return kept.order_by(t.seq).limit(1).correlate(some).scalar_subquery()

    old = sa.or_(oldest(deliveries, _AGE) < before, oldest(changes, c.at) < before)
    found = connection.execute(sa.select(some.c.user_id, old.label("old")).order_by(some.c.user_id)).all()
    return [row.user_id for row in found if row.old], found[-1].user_id if len(found) == limit else None


def purge(
    connection: Connection, users: Sequence[str], *, before: datetime, limit: int, now: datetime
) -> Purged:
    """Delete what is older than `before` of these users' logs, in their order, `limit` entries at most.

    `before` must be 24 hours ago or more: idempotency keys go with their notifications.
    """
    spans: dict[str, Span] = {}
    entries, through = 0, None
    due = _due(connection, users[:LOCKED], before, limit)
    for user_id, purged_seq, horizon, more in due:
        last = min(horizon, purged_seq + limit - entries)
        if last > purged_seq:
            spans[user_id] = purged_seq, last
            entries += last - purged_seq
        if last < horizon or more:
            break  # there may be more of this one
        through = user_id
    if not spans:
        return Purged(0, 0, through)
    gone = gone_of(connection, spans)
    remember(connection, gone)
    # What is still unread expires, and the log says so: the counts of later entries stay exact.
    for user_id in sorted(
        {row.user_id for row in gone if row.inbox and row.read_at is None and row.hidden is None}
    ):
        inbox.read_through(connection, user_id, spans[user_id][1], now=now)
    delete(connection, spans)
    return Purged(entries, _settle(connection, gone), through)


def leftovers(connection: Connection, before: datetime, limit: int) -> int:
    """Delete notifications without deliveries; return how many.

    Two purges at once have left them, or nobody ever had them: they were canceled, or expired.
    """
    ids = sa.select(n.id).where(
        n.accepted_at < before,
        n.state.in_(DONE),
        n.purged + sa.func.coalesce(n.erased_reached, 0) == n.reached,
    )
    return connection.execute(sa.delete(notifications).where(n.id.in_(ids.limit(limit)))).rowcount


def _due(
    connection: Connection, users: Sequence[str], before: datetime, limit: int
) -> list[tuple[str, int, int, bool]]:
    """Lock the inboxes that are free; return in the users' order up to where their logs are old.

    As (user id, purged seq, the seq up to which all is old, whether more may be).
    """
    # Inboxes are always locked in the order of their ids' characters.
    by_id: sa.ColumnElement[Any] = (
        sa.collate(i.user_id, "C") if connection.dialect.name == "postgresql" else i.user_id
    )
    free = sa.select(i.user_id).where(i.user_id.in_(users)).order_by(by_id)
    locked = list(connection.scalars(free.with_for_update(skip_locked=True)))
    rows = _look(connection, locked, before, limit)
    skipped = {user: min(first) - 1 for user, row in rows.items() if (first := _known(row[2:4]))}
    skipped = {user: seq for user, seq in skipped.items() if seq > rows[user].purged_seq}
    if skipped:  # The log went on from a base: what is kept begins after it.
        _set_purged(connection, skipped)
        rows |= _look(connection, list(skipped), before, limit)
    due = []
    for user_id in users:
        if (row := rows.get(user_id)) is not None:
            newest, young = max(_known(row[4:6]), default=row.purged_seq), _known(row[6:8])
            horizon = min([newest, *(seq - 1 for seq in young)])
            due.append((user_id, row.purged_seq, horizon, horizon < row.seq and not young))
        else:
            due.append((user_id, 0, 0, False))  # another transaction holds it: the next round has it
    return due


def _known(seqs: Iterable[int | None]) -> list[int]:
    return [seq for seq in seqs if seq is not None]


def _look(connection: Connection, users: Sequence[str], before: datetime, limit: int) -> dict[str, AnyRow]:
    """Return where each user's log begins, gets young and ends.

    As (user id, purged seq, the first entries that are kept, the newest ones of the `limit` seqs from there,
    the first ones of those that are not older than `before`, the head).
    """
    reach = i.purged_seq + limit

    def seq(which: Any, table: sa.Table, *more: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
        t = table.c
        query = sa.select(which(t.seq)).where(t.user_id == i.user_id, t.seq > i.purged_seq, *more)
        return query.correlate(inboxes).scalar_subquery()

    lowest, highest = sa.func.min, sa.func.max
    found = connection.execute(
        sa.select(
            i.user_id,
            i.purged_seq,
            seq(lowest, deliveries),
            seq(lowest, changes),
            seq(highest, deliveries, d.seq <= reach),
            seq(highest, changes, c.seq <= reach),
            seq(lowest, deliveries, d.seq <= reach, before <= _AGE),
            seq(lowest, changes, c.seq <= reach, c.at >= before),
            i.seq,
        ).where(i.user_id.in_(users))
    )
    return {row.user_id: row for row in found}


def _set_purged(connection: Connection, purged: Mapping[str, int]) -> None:
    bind = sa.bindparam
    rows = [{"of_user": user_id, "through": seq} for user_id, seq in sorted(purged.items())]
    statement = sa.update(inboxes).where(i.user_id == bind("of_user")).values(purged_seq=bind("through"))
    connection.execute(statement, rows)


def gone_of(connection: Connection, spans: Mapping[str, Span]) -> Sequence[AnyRow]:
    """Return the deliveries of these parts of logs, as the reports count them."""
    v = _view.c
    gone: list[AnyRow] = []
    # With the upper bound alone PostgreSQL, which still counts what is deleted, soon reads whole tables.
    for user_id, (after, last) in spans.items():
        gone += connection.execute(
            sa.select(_view, d.inbox, d.hidden)
            .join_from(_view, deliveries, sa.and_(d.user_id == v.user_id, d.seq == v.seq))
            .where(v.user_id == user_id, d.user_id == user_id, v.seq > after, v.seq <= last)
        )
    return gone


def remember(connection: Connection, gone: Sequence[AnyRow]) -> None:
    """Add deliveries to the history."""
    counted: Counter[tuple[Any, ...]] = Counter()
    reads: Counter[tuple[Any, ...]] = Counter()
    for row in gone:
        day = row.accepted_at.astimezone(UTC).date()
        delivered = row.delivered_at is not None
        key = day, row.event, row.type or "", delivered, row.accepted_to_delivered_ms or 0
        counted[key] += 1
        reads[key] += row.read_at is not None
    if not counted:
        return
    statement = insert(connection, report_history)
    names = ("day", "event", "type", "delivered", "ms")
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[h[name] for name in names],
            set_={
                "deliveries": h.deliveries + statement.excluded.deliveries,
                "reads": h.reads + statement.excluded.reads,
            },
        ),
        [
            dict(zip(names, key, strict=True)) | {"deliveries": counted[key], "reads": reads[key]}
            for key in sorted(counted)
        ],
    )


def delete(connection: Connection, spans: Mapping[str, Span]) -> None:
    """Delete these parts of logs, whose inboxes are locked; each is the beginning of what is kept."""
    bind = sa.bindparam
    rows = [{"of_user": user, "after": after, "last": last} for user, (after, last) in sorted(spans.items())]
    for table, *which in (
        (deliveries, d.seq > bind("after"), d.seq <= bind("last")),
        (changes, c.seq > bind("after"), c.seq <= bind("last")),
        (read_marks, read_marks.c.through <= bind("last")),
    ):
        connection.execute(sa.delete(table).where(table.c.user_id == bind("of_user"), *which), rows)
    _set_purged(connection, {user: last for user, (_, last) in spans.items()})


def tally(gone: Sequence[AnyRow]) -> dict[str, tuple[int, int, int]]:
    """Return notification's id -> how many of these deliveries are of it, were delivered, were read."""
    tallies: dict[str, tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    for row in gone:
        of_it, delivered, read = tallies[row.notification_id]
        tallies[row.notification_id] = (
            of_it + 1,
            delivered + (row.delivered_at is not None),
            read + (row.read_at is not None),
        )
    return tallies


def _settle(connection: Connection, gone: Sequence[AnyRow]) -> int:
    """Delete the notifications whose last delivery has gone, and tally the others; return how many went."""
    tallies = tally(gone)
    kept = sa.exists().where(d.notification_id == n.id)
    deleted = set(
        connection.scalars(
            sa.delete(notifications)
            .where(n.id.in_(tallies), n.state.in_(DONE), sa.not_(kept))
            .returning(n.id)
        )
    )
    left = sorted(set(tallies) - deleted)
    if left:
        bind = sa.bindparam
        connection.execute(
            sa.update(notifications)
            .where(n.id == bind("of_id"))
            .values(
                purged=n.purged + bind("gone"),
                purged_delivered=n.purged_delivered + bind("were_delivered"),
                purged_read=n.purged_read + bind("were_read"),
            ),
            [
                {"of_id": id, "gone": a, "were_delivered": b, "were_read": r}
                for id in left
                for a, b, r in [tallies[id]]
            ],
        )
    return len(deleted)
