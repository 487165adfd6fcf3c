"""Read the facts about one notification, for `notifier.core.timeline`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import reach
from models.store import sockets as store_sockets
from models.store.pages import READ_AT
from models.store.status import counts
from models.tables import deliveries, notifications, suppressed
from notifier.core.reach_words import Reached
from notifier.core.timeline import Copy, Socket, SwitchedOff, Timeline
from notifier.outbox.types import AnyRow

MAX_SOCKETS = 50  # of one timeline

n, d = notifications.c, deliveries.c


def timeline(connection: Connection, id: str, user_id: str | None, *, now: datetime) -> Timeline | None:
    """Return what is known of a notification, or of `user_id`'s copy; None: there is none, or not for them.

    Without `user_id`: of a notification to one user, that user's copy is read.
    """
    row = connection.execute(sa.select(notifications).where(n.id == id)).first()
    if row is None:
        return None
    user_id = user_id or row.recipient
    copy = _copy(connection, id, user_id) if user_id is not None else None
    off = _switched_off(connection, id, user_id) if copy is None and row.suppressed else None
    if (
        copy is None
        and off is None
        and user_id is not None
        and user_id != row.recipient
        and user_id not in (row.audience or ())
    ):
        return None
    delivered, read = counts(connection, row)
    around: Sequence[Socket] = ()
    if copy is not None:
        end = copy.delivered_at or copy.read_at or now
        found = store_sockets.around(connection, copy.user_id, copy.persisted_at, end, limit=MAX_SOCKETS)
        around = [read_socket(one) for one in found]
    return Timeline(
        id=row.id,
        event=row.event,
        inbox=row.inbox,
        status=row.state,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        error=row.error,
        accepted_at=row.accepted_at,
        woken_at=row.woken_at,
        dispatched_at=row.dispatched_at,
        published_at=row.published_at,
        recipients=row.recipients,
        reached=row.reached,
        delivered=delivered,
        read=read,
        user_id=user_id,
        copy=copy,
        off=off,
        suppressed=row.suppressed,
        erased=row.erased or 0,
        erased_in_all=sum(one or 0 for one in (row.erased, row.erased_reached, row.erased_suppressed)),
        acker=_acker(connection, copy),
        sockets=around,
        scheduled_at=row.scheduled_at,
        deliver_at=row.deliver_at,
        ended_at=row.ended_at,
        reached_by=[Reached(**one._asdict()) for one in reach.of_delivery(connection, id, copy.user_id)]
        if copy
        else (),
        channels=reach.states(connection, id) if user_id is None else {},
    )


def copies(connection: Connection, id: str, *, limit: int, after: str | None) -> Sequence[Copy]:
    """Return a page of a notification's copies, ordered by user id."""
    query = _copies(id).order_by(d.user_id).limit(limit)
    if after is not None:
        query = query.where(d.user_id > after)
    return [_read(row) for row in connection.execute(query)]


def _copies(id: str) -> sa.Select[Any]:
    return sa.select(
        d.user_id,
        d.seq,
        d.persisted_at,
        d.delivered_at,
        d.acked_by,
        READ_AT.label("read_at"),
        d.archived_at,
        d.hidden,
        d.until,
        d.returned_at,
    ).where(d.notification_id == id)


def _read(row: AnyRow) -> Copy:
    return Copy(**row._asdict())


def _copy(connection: Connection, id: str, user_id: str) -> Copy | None:
    row = connection.execute(_copies(id).where(d.user_id == user_id)).first()
    return _read(row) if row else None


def _switched_off(connection: Connection, id: str, user_id: str | None) -> SwitchedOff | None:
    s = suppressed.c
    query = sa.select(s.since, s.at).where(s.notification_id == id, s.user_id == user_id)
    row = connection.execute(query).first()
    return SwitchedOff(row.since, row.at) if row else None


def _acker(connection: Connection, copy: Copy | None) -> Socket | None:
    if copy is None or copy.acked_by is None:
        return None
    row = store_sockets.one(connection, copy.acked_by)
    return read_socket(row) if row else None


def read_socket(row: AnyRow) -> Socket:
    """Return a row of `models.store.sockets.with_gateway`."""
    return Socket(
        id=row.id,
        device=row.device,
        gateway=row.gateway,
        opened_at=row.opened_at,
        after=row.after,
        head=row.head,
        window_from=row.window_from,
        closed_at=row.closed_at,
        code=row.code,
        sent_seq=row.sent_seq,
        gateway_seen_at=row.seen_at,
        gateway_stopped_at=row.stopped_at,
    )
