"""Records of sockets and gateways for timelines: which were open, and from when to when.

They are written in bulk by the gateway's flush, so an alert never waits for them. A gateway that crashes
leaves its sockets without an end: they count as open only while their gateway is heard of.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import erased
from models.tables import gateways, sockets
from notifier.core.timeline import LOST_AFTER
from notifier.outbox.dialect import Insertion, Rows, insert
from notifier.outbox.types import AnyRow, UtcDateTime

SEEN_EVERY = 5.0  # seconds between a gateway's signs of life

s, g = sockets.c, gateways.c


@dataclass(frozen=True, slots=True)
class Opened:
    """A socket said hello; `window_from` None: it was sent the log after `after`, not the window.

    `issued_at`: when its token was issued, seconds since 1970.
    """

    id: str
    user_id: str
    device: str | None
    gateway: str
    opened_at: datetime
    after: int | None
    head: int
    window_from: int | None
    issued_at: float = math.inf


_OPENED = tuple(field.name for field in fields(Opened) if field.name != "issued_at")


@dataclass(frozen=True, slots=True)
class Ended:
    """A socket closed, after it was sent the log up to `sent`."""

    id: str
    closed_at: datetime
    code: int
    sent: int


def write(connection: Connection, opened: Sequence[Opened], ended: Sequence[Ended]) -> None:
    """Store opened and closed sockets; storing them twice changes nothing.

    Nothing is kept of a socket whose user was erased after the token was issued.
    """
    if opened:
        rows = [{name: getattr(one, name) for name in _OPENED} for one in opened]
        _OPEN.execute(connection, rows)
        if gone := erased.outdated(connection, opened):
            connection.execute(sa.delete(sockets).where(s.id.in_([one.id for one in gone])))
    if ended:
        rows = [{name: getattr(one, name) for name in _ENDED} for one in ended]
        connection.execute(_end(connection.dialect.name), _ENDS.parameters(connection, rows))


_OPEN = Insertion(sockets, _OPENED, lambda statement: statement.on_conflict_do_nothing())
_ENDED = {"id": sa.Text, "closed_at": UtcDateTime, "code": sa.Integer, "sent": sa.BigInteger}
_ENDS = Rows("ends", **_ENDED)


@cache
def _end(dialect: str) -> sa.Update:
    end = _ENDS.table(dialect)
    return (
        sa.update(sockets)
        .where(s.id == end.c.id)
        .values(closed_at=end.c.closed_at, code=end.c.code, sent_seq=end.c.sent)
    )


def seen(connection: Connection, gateway: str, *, now: datetime, stopped: bool = False) -> None:
    """Record a gateway's sign of life, or that it stops."""
    statement = insert(connection, gateways)
    changed = {"seen_at": statement.excluded.seen_at, "stopped_at": statement.excluded.stopped_at}
    connection.execute(
        statement.on_conflict_do_update(index_elements=[g.id], set_=changed),
        {"id": gateway, "started_at": now, "seen_at": now, "stopped_at": now if stopped else None},
    )


def around(
    connection: Connection, user_id: str, begin: datetime, end: datetime, *, limit: int
) -> Sequence[AnyRow]:
    """Return a user's sockets that were, or may have been, open between two times, oldest first.

    Each with its gateway's last sign of life, `seen_at`, and `stopped_at`.
    """
    return connection.execute(
        with_gateway()
        .where(
            s.user_id == user_id,
            s.opened_at <= end,
            sa.or_(
                s.closed_at >= begin,
                sa.and_(
                    s.closed_at.is_(None),
                    # A sign of life is always several seconds old.
                    sa.or_(g.id.is_(None), g.seen_at >= begin - LOST_AFTER),
                    sa.or_(g.stopped_at.is_(None), g.stopped_at >= begin),
                ),
            ),
        )
        .order_by(s.opened_at, s.id)
        .limit(limit)
    ).all()


def one(connection: Connection, id: str) -> AnyRow | None:
    """Return a socket, with its gateway's `seen_at` and `stopped_at`; None: it is unknown."""
    return connection.execute(with_gateway().where(s.id == id)).first()


def with_gateway() -> sa.Select[Any]:
    """Select sockets, each with its gateway's `seen_at` and `stopped_at`."""
    return sa.select(sockets, g.seen_at, g.stopped_at).join_from(
        sockets, gateways, g.id == s.gateway, isouter=True
    )


@dataclass(frozen=True, slots=True)
class Present:
    """The number of connected sockets, users and gateways."""

    gateways: int
    sockets: int
    users: int
    devices: int


def present(connection: Connection, *, now: datetime) -> Present:
    """Count open sockets of running gateways (uses the partial index)."""
    alive = sa.select(g.id).where(g.stopped_at.is_(None), g.seen_at >= now - LOST_AFTER)
    is_open = sa.and_(s.closed_at.is_(None), s.gateway.in_(alive))
    named = sa.select(s.user_id, s.device).where(is_open, s.device.is_not(None)).distinct().subquery()
    count, users = connection.execute(
        sa.select(sa.func.count(), sa.func.count(s.user_id.distinct())).where(is_open)
    ).one()
    return Present(
        connection.scalar(sa.select(sa.func.count()).select_from(alive.subquery())) or 0,
        count,
        users,
        connection.scalar(sa.select(sa.func.count()).select_from(named)) or 0,
    )


def purge(connection: Connection, before: datetime, limit: int) -> int:
    """Delete sockets that opened before `before` and are not known to be open since; return how many.

    A socket without an end is deleted too: it crashed, or has been open for the whole retention. So are
    gateways last seen before `before`.
    """
    old = (
        sa.select(s.id)
        .where(s.opened_at < before, sa.or_(s.closed_at.is_(None), s.closed_at < before))
        .order_by(s.opened_at)
        .limit(limit)
    )
    gone = connection.execute(sa.delete(sockets).where(s.id.in_(old))).rowcount
    if gone < limit:
        connection.execute(sa.delete(gateways).where(g.seen_at < before))
    return gone
