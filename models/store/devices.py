"""Devices and delivery: delivered means sent to a device and acked by it, or read. Nothing else.

What a device was sent follows from three numbers of its row. Its latest socket started with a
window that reached down to `window_from`, at the log's head `log_from`: so it was sent every inbox
entry from `window_from` to `log_from` that was not read before (what was read counts as delivered
anyway), and after `log_from` every entry of the log, up to `sent_seq`. `sent_seq` is written when the
socket closes; while it is NULL (open, or its gateway died) the device's own claim counts.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import erased
from models.store.delivered import Ack, Delivered, deliver
from models.tables import devices
from notifier.core.effects import Acked
from notifier.outbox.dialect import Insertion, Rows
from notifier.outbox.types import AnyRow, UtcDateTime

v = devices.c


@dataclass(frozen=True, slots=True)
class Closed:
    """A device's socket that closed after it was sent the log up to `sent`."""

    user_id: str
    device: str
    socket: str
    sent: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A device's socket that starts.

    Attributes:
        user_id, device, socket: the socket's.
        after: the seq up to which the device has the log; None: nothing counts as an ack.
        window_from, log_from: what it is being sent (see above).
        user_agent: what the browser says it is.
        issued_at: when the user's token was issued, seconds since 1970; infinite: no token is asked for.
    """

    user_id: str
    device: str
    socket: str
    after: int | None
    window_from: int
    log_from: int
    user_agent: str | None
    issued_at: float = math.inf


def joined(connection: Connection, joins: Sequence[Joined], *, now: datetime) -> list[Delivered]:
    """Count each `after` of starting sockets as an ack, and record what they are being sent.

    An `after` must not be beyond its log's head. Nothing is kept of the device of a user who was erased after
    the token was issued. Returns what became delivered.
    """
    first: dict[tuple[str, str], Joined] = {}
    # Of two sockets of one device, the second must see the first's row.
    later = [join for join in joins if first.setdefault((join.user_id, join.device), join) is not join]
    known = _lock(connection, first)
    acks: list[Ack] = []
    rows: list[dict[str, Any]] = []
    for place in sorted(first):
        join, row = first[place], known.get(place)
        acked = row.acked_seq if row else 0
        if row is not None and join.after is not None:
            through = join.after if row.sent_seq is None else min(join.after, row.sent_seq)
            acked = max(acked, through)
            acks.append(Ack(*place, Acked(row.window_from, row.log_from, 0, through), row.socket))
        rows.append(
            {
                "user_id": join.user_id,
                "device": join.device,
                "acked_seq": acked,
                "window_from": join.window_from,
                "log_from": join.log_from,
                "sent_seq": None,
                "socket": join.socket,
                "user_agent": join.user_agent,
                "first_seen_at": now,
                "last_seen_at": now,
            }
        )
    _START.execute(connection, rows)
    for join in erased.outdated(connection, first.values()):
        mine = v.user_id == join.user_id, v.device == join.device
        connection.execute(sa.delete(devices).where(*mine))
    delivered = deliver(connection, acks, now=now)
    return delivered + joined(connection, later, now=now) if later else delivered


_FIRST = ("user_id", "device", "first_seen_at")  # what stays as the first socket wrote it
_LATEST = ("acked_seq", "window_from", "log_from", "sent_seq", "socket", "user_agent", "last_seen_at")
_START = Insertion(
    devices,
    (*_FIRST, *_LATEST),
    lambda statement: statement.on_conflict_do_update(
        index_elements=[v.user_id, v.device], set_={name: statement.excluded[name] for name in _LATEST}
    ),
)
_WANTED = Rows("wanted", user_id=sa.Text, device=sa.Text)


@cache
def _locked(dialect: str) -> sa.Select[Any]:
    wanted = _WANTED.table(dialect)
    return (
        sa.select(devices)
        .join(wanted, sa.and_(v.user_id == wanted.c.user_id, v.device == wanted.c.device))
        .order_by(v.user_id, v.device)
        .with_for_update(of=devices)
    )


def _lock(connection: Connection, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], AnyRow]:
    """Lock the rows of these devices (user id, device) in order, and return them."""
    rows = [{"user_id": user_id, "device": device} for user_id, device in sorted(places)]
    found = connection.execute(_locked(connection.dialect.name), _WANTED.parameters(connection, rows))
    return {(row.user_id, row.device): row for row in found}


_PRESENT = sa.bindparam("present", type_=UtcDateTime())
_ADVANCED = Rows("advanced", user_id=sa.Text, device=sa.Text, through=sa.BigInteger)
_LEFT = Rows("gone", user_id=sa.Text, device=sa.Text, socket=sa.Text, sent=sa.BigInteger)


@cache
def _advance(dialect: str) -> sa.Update:
    to = _ADVANCED.table(dialect)
    through = to.c.through
    return (
        sa.update(devices)
        .where(v.user_id == to.c.user_id, v.device == to.c.device)
        .values(
            acked_seq=sa.case((v.acked_seq < through, through), else_=v.acked_seq),
            sent_seq=sa.case((v.sent_seq < through, through), else_=v.sent_seq),
            last_seen_at=_PRESENT,
        )
    )


@cache
def _leave(dialect: str) -> sa.Update:
    left = _LEFT.table(dialect)
    return (
        sa.update(devices)
        .where(v.user_id == left.c.user_id, v.device == left.c.device, v.socket == left.c.socket)
        .values(sent_seq=left.c.sent, last_seen_at=_PRESENT)
    )


def flush(
    connection: Connection, acks: Sequence[Ack], closed: Sequence[Closed], *, now: datetime
) -> list[Delivered]:
    """Write acks and closed sockets of a gateway in a few statements.

    Devices are locked in order and before deliveries, as in `joined`, to avoid deadlocks.
    """
    dialect = connection.dialect.name
    advanced: dict[tuple[str, str], int] = {}
    for ack in acks:
        if ack.device is not None:
            where = ack.user_id, ack.device
            advanced[where] = max(advanced.get(where, 0), ack.acked.through)
    left = [{"user_id": c.user_id, "device": c.device, "socket": c.socket, "sent": c.sent} for c in closed]
    places = {*advanced, *((one.user_id, one.device) for one in closed)}
    if places:
        _lock(connection, places)
    if advanced:
        rows = [{"user_id": u, "device": d, "through": through} for (u, d), through in advanced.items()]
        connection.execute(_advance(dialect), {**_ADVANCED.parameters(connection, rows), "present": now})
    if left:
        connection.execute(_leave(dialect), {**_LEFT.parameters(connection, left), "present": now})
    return deliver(connection, acks, now=now)
