"""Mark deliveries as delivered that devices were sent and acked. A read counts too (`models.store.inbox`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.lock_order import update_in_order
from models.store.visible import VISIBLE, unestimated
from models.tables import deliveries
from notifier.core.effects import Acked
from notifier.outbox.dialect import Rows
from notifier.outbox.types import UtcDateTime, not_before

FEW = 64  # entries of one ack that are named one by one; more are a range
AT_ONCE = 5_000  # entries in one statement

d = deliveries.c


@dataclass(frozen=True, slots=True)
class Ack:
    """A device (None: an anonymous one) acked what its socket (None: unknown) was sent.

    Attributes:
        user_id, device, socket: where it comes from.
        acked: what it has.
        at: when it arrived; None: now.
    """

    user_id: str
    device: str | None
    acked: Acked
    socket: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery that has just become delivered.

    Attributes:
        notification_id, user_id: which.
        waited: seconds since it was put into the inbox.
    """

    notification_id: str
    user_id: str
    waited: float = field(default=0.0, compare=False)


def deliver(connection: Connection, acks: Sequence[Ack], *, now: datetime) -> list[Delivered]:
    """Mark what `acks` cover as delivered, if it is not yet; return what was marked."""
    if not acks:
        return []
    # Which, whether it need not be an inbox entry, who acked it and when.
    entries: dict[tuple[str, int], tuple[bool, str | None, datetime]] = {}
    ranges: list[dict[str, Any]] = []
    for ack in sorted(acks, key=lambda a: (a.user_id, a.acked.through)):
        acked = ack.acked
        first = max(acked.after, min(acked.window_from - 1, acked.log_from)) + 1
        if acked.through - first >= FEW:
            ranges.append(
                {
                    "user_id": ack.user_id,
                    "first": first,
                    "through": acked.through,
                    "window_from": acked.window_from,
                    "log_from": acked.log_from,
                    "socket": ack.socket,
                    "at": ack.at or now,
                }
            )
            continue
        for seq in range(first, acked.through + 1):
            in_log = seq > acked.log_from
            if in_log or seq >= acked.window_from:
                known = entries.get((ack.user_id, seq), (False, ack.socket, ack.at or now))
                entries[ack.user_id, seq] = in_log or known[0], *known[1:]
    found: list[Delivered] = []
    if ranges:
        parameters = _RANGES.parameters(connection, ranges)
        found += _delivered(connection.execute(_deliver_ranges(connection.dialect.name), parameters))
    places = sorted(entries)
    for start in range(0, len(places), AT_ONCE):
        found += _deliver_entries(connection, [(*p, *entries[p]) for p in places[start : start + AT_ONCE]])
    return found


_RANGES = Rows(
    "ranges", user_id=sa.Text, first=sa.BigInteger, through=sa.BigInteger, window_from=sa.BigInteger,
    log_from=sa.BigInteger, socket=sa.Text, at=UtcDateTime,
)  # fmt: skip


@cache
def _deliver_ranges(dialect: str) -> sa.Update:
    of = _RANGES.table(dialect).c
    named = (d.user_id == of.user_id, d.seq.between(of.first, of.through))
    wanted = sa.or_(sa.and_(d.inbox, d.seq >= of.window_from), d.seq > of.log_from)
    return _mark(dialect, sa.and_(*named, _undelivered(wanted)), of)


def _undelivered(wanted: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return unestimated(d.delivered_at.is_(None), VISIBLE, wanted)  # being removed is not being delivered


def _mark(dialect: str, where: sa.ColumnElement[bool], of: Any) -> sa.Update:
    update, beside = update_in_order(dialect, where, of.socket, of.at)
    return update.values(
        delivered_at=not_before(d.persisted_at, beside["at"]), acked_by=beside["socket"]
    ).returning(d.user_id, d.seq, d.notification_id, d.persisted_at, d.delivered_at)


def _deliver_entries(
    connection: Connection, entries: Sequence[tuple[str, int, bool, str | None, datetime]]
) -> Iterable[Delivered]:
    """Mark the few newest entries of many users in one statement, the usual case of a flush."""
    rows = [dict(zip(_ACKED_COLUMNS, entry, strict=True)) for entry in entries]
    return _delivered(
        connection.execute(_deliver(connection.dialect.name), _ACKED.parameters(connection, rows))
    )


_ACKED_COLUMNS = {
    "user_id": sa.Text, "seq": sa.BigInteger, "in_log": sa.Boolean, "socket": sa.Text, "at": UtcDateTime,
}  # fmt: skip
_ACKED = Rows("acked", **_ACKED_COLUMNS)


@cache
def _deliver(dialect: str) -> sa.Update:
    of = _ACKED.table(dialect).c
    named = (d.user_id == of.user_id, d.seq == of.seq)
    return _mark(dialect, sa.and_(*named, _undelivered(sa.or_(d.inbox, of.in_log))), of)


def _delivered(rows: Iterable[Any]) -> list[Delivered]:
    return [
        Delivered(id, user_id, (delivered - persisted).total_seconds())
        for user_id, _, id, persisted, delivered in sorted(rows)
    ]
