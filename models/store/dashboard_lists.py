"""The lists of the dashboard: dead, waiting, slowest, not delivered, connected; each in pages by keyset."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import keyset
from models.store.dashboard import TimeRange, report_deliveries, within
from models.store.keyset import Cursor, Key
from models.store.planner import in_short
from models.tables import ACCEPTED, DEAD, gateways, notifications, sockets
from notifier.core.timeline import LOST_AFTER
from notifier.outbox.types import AnyRow

ROWS = 20  # of a page

n, s, g, v = notifications.c, sockets.c, gateways.c, report_deliveries.c


@dataclass(frozen=True, slots=True)
class Listing:
    """A list.

    Attributes:
        name: in addresses.
        title: what it is called.
        columns: what is shown of a row, in this order.
        keys: its order; the types of their values are those of the columns.
        newest_first: whether later pages are older.
        in_range: whether it is of the chosen days.
        select: the rows, for a range of times and the present.
    """

    name: str
    title: str
    columns: Sequence[str]
    keys: Sequence[Key]
    newest_first: bool
    in_range: bool
    select: Callable[[TimeRange | None, datetime], sa.Select[Any]]


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of a list: its rows, how many there are in all, and the cursors of the pages beside it."""

    listing: Listing
    rows: Sequence[AnyRow]
    total: int
    previous: Cursor | None
    next: Cursor | None


def page(
    connection: Connection,
    listing: Listing,
    where: TimeRange | None,
    now: datetime,
    *,
    limit: int = ROWS,
    cursor: Cursor | None = None,
    total: int | None = None,
) -> ListPage:
    """Return a page of a list.

    Args:
        connection: a connection, or a snapshot.
        listing: which list.
        where: the chosen times; not used for a list that is not of the chosen days.
        now: the present.
        limit: rows of the page at most.
        cursor: where it begins; None: the first page.
        total: how many rows the list has, where that is known; None: they are counted.
    """
    query = listing.select(where, now)
    found = keyset.page(in_short(connection), query, listing.keys, limit, cursor)
    if not found.previous and not found.next:
        total = len(found.rows)
    elif total is None:
        total = connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
    return ListPage(listing, found.rows, total, found.previous, found.next)


def _slowest(where: TimeRange | None, _now: datetime) -> sa.Select[Any]:
    return sa.select(
        v.notification_id, v.user_id, v.event, v.type, v.accepted_at, v.accepted_to_delivered_ms,
        v.accepted_to_persisted_ms, v.persisted_to_delivered_ms,
    ).where(*within(_given(where)), v.accepted_to_delivered_ms.is_not(None))  # fmt: skip


def _undelivered(where: TimeRange | None, _now: datetime) -> sa.Select[Any]:
    columns = (v.notification_id, v.user_id, v.event, v.type, v.accepted_at, v.persisted_at)
    return sa.select(*columns).where(*within(_given(where)), v.delivered_at.is_(None))


def _waiting(_where: TimeRange | None, _now: datetime) -> sa.Select[Any]:
    return sa.select(
        n.bulk,
        n.number,
        n.id,
        n.event,
        n.recipients,
        n.reached,
        n.attempts,
        n.accepted_at,
        n.next_attempt_at,
        n.error,
    ).where(n.state == sa.literal_column(f"'{ACCEPTED}'"))


def _dead(_where: TimeRange | None, _now: datetime) -> sa.Select[Any]:
    return sa.select(
        n.number, n.id, n.event, n.error, n.recipients, n.reached, n.attempts, n.accepted_at
    ).where(n.state == sa.literal_column(f"'{DEAD}'"))


def _connected(_where: TimeRange | None, now: datetime) -> sa.Select[Any]:
    return (
        sa.select(s.user_id, s.device, s.gateway, s.opened_at, s.id)
        .join_from(sockets, gateways, g.id == s.gateway)
        .where(s.closed_at.is_(None), g.stopped_at.is_(None), g.seen_at >= now - LOST_AFTER)
    )


def _given(where: TimeRange | None) -> TimeRange:
    assert where is not None
    return where


_COPY = (Key("notification_id", v.notification_id), Key("user_id", v.user_id))
_LISTINGS = (
    Listing(
        "dead",
        "Dead",
        ("id", "event", "error", "recipients", "reached", "attempts", "accepted_at"),
        (Key("number", n.number, descending=True),),
        True,
        False,
        _dead,
    ),
    Listing(
        "waiting",
        "Waiting",
        ("id", "event", "recipients", "reached", "attempts", "accepted_at", "next_attempt_at", "error"),
        (Key("bulk", n.bulk), Key("number", n.number)),  # the order of the index of what waits
        False,
        False,
        _waiting,
    ),
    Listing(
        "slowest",
        "Slowest",
        (
            "notification_id", "user_id", "event", "type", "accepted_at", "accepted_to_delivered_ms",
            "accepted_to_persisted_ms", "persisted_to_delivered_ms",
        ),
        (Key("accepted_to_delivered_ms", v.accepted_to_delivered_ms, descending=True), *_COPY),
        True,
        True,
        _slowest,
    ),
    Listing(
        "undelivered",
        "Not delivered",
        ("notification_id", "user_id", "event", "type", "accepted_at", "persisted_at"),
        (Key("accepted_at", v.accepted_at, descending=True), *_COPY),
        True,
        True,
        _undelivered,
    ),
    Listing(
        "connected",
        "Connected now",
        ("user_id", "device", "gateway", "opened_at", "id"),
        (Key("opened_at", s.opened_at, descending=True), Key("id", s.id)),
        True,
        False,
        _connected,
    ),
)  # fmt: skip
LISTINGS: Mapping[str, Listing] = {listing.name: listing for listing in _LISTINGS}
