"""Queries of the support desk: all facts about a user, and the search for titles with a word."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import audience
from models.store.sockets import with_gateway
from models.tables import (
    ACCEPTED,
    DEAD,
    SCHEDULED,
    addresses,
    badges,
    deliveries,
    devices,
    inboxes,
    notifications,
    reach,
    recipients,
    sockets,
    suppressed,
)
from notifier.core.entry_reason import title
from notifier.core.states import WITHDRAWN
from notifier.outbox.types import AnyRow

NEWEST = 20_000  # notifications whose titles are searched
ROWS = 20  # of each list of a user
LOOKED_AT = 10_000  # waiting, scheduled or dead notifications looked through for one user

n, d, r, u = notifications.c, deliveries.c, reach.c, suppressed.c

_INDEXED: dict[str, tuple[sa.ColumnElement[Any], ...]] = {
    ACCEPTED: (n.bulk, n.number),
    SCHEDULED: (n.deliver_at,),
    DEAD: (n.number,),
}


def titled(connection: Connection, word: str, limit: int = ROWS) -> Sequence[AnyRow]:
    """Return notifications with `word` in the title, the newest first, among the newest NEWEST.

    Letters match in either case. A withdrawn one is not found: nothing of it may be read.
    """
    wanted = word.casefold()
    name: sa.ColumnElement[Any]
    if connection.dialect.name == "postgresql":
        name = sa.case((sa.func.jsonb_typeof(n.data["title"]) == "string", n.data["title"].as_string()))
    else:
        name = sa.func.json_extract(sa.type_coerce(n.data, sa.Text), "$.title", type_=sa.Text)
    query = sa.select(n.number, name, n.state).order_by(n.number.desc()).limit(NEWEST)
    found = []
    for number, text, state in connection.execute(query):
        if isinstance(text, str) and state not in WITHDRAWN and wanted in text.casefold():
            found.append(number)
            if len(found) == limit:
                break
    return connection.execute(
        sa.select(n.id, n.event, n.data, n.sender, n.state, n.accepted_at, n.recipient, n.recipients)
        .where(n.number.in_(found))
        .order_by(n.number.desc())
    ).all()


def is_known(connection: Connection, user_id: str) -> bool:
    """Return whether any table has a row of a user."""
    tables = (inboxes, recipients, devices, suppressed, sockets, addresses)
    anywhere = sa.or_(
        *(sa.select(table.c.user_id).where(table.c.user_id == user_id).exists() for table in tables)
    )
    return bool(connection.scalar(sa.select(anywhere)) or outside(connection, user_id, limit=1))


def inbox(connection: Connection, user_id: str) -> AnyRow | None:
    """Return (seq, unread) of a user's log; None: there is none yet."""
    i = inboxes.c
    return connection.execute(sa.select(i.seq, i.unread).where(i.user_id == user_id)).first()


def badges_of(connection: Connection, user_id: str) -> Sequence[AnyRow]:
    """Return (type, shown) of a user's badges."""
    b = badges.c
    return connection.execute(
        sa.select(b.type, b.count.label("shown")).where(b.user_id == user_id).order_by(b.type)
    ).all()


def devices_of(connection: Connection, user_id: str) -> Sequence[AnyRow]:
    """Return a user's devices, the one last seen first."""
    v = devices.c
    return connection.execute(
        sa.select(v.device, v.acked_seq, v.first_seen_at, v.last_seen_at, v.user_agent)
        .where(v.user_id == user_id)
        .order_by(v.last_seen_at.desc(), v.device)
        .limit(ROWS)
    ).all()


def sockets_of(connection: Connection, user_id: str) -> Sequence[AnyRow]:
    """Return a user's last sockets with their gateway's signs of life, newest first."""
    s = sockets.c
    return connection.execute(
        with_gateway().where(s.user_id == user_id).order_by(s.opened_at.desc(), s.id).limit(ROWS)
    ).all()


def addresses_of(connection: Connection, user_id: str) -> Sequence[AnyRow]:
    """Return a user's addresses, also those that are switched off."""
    a = addresses.c
    return connection.execute(
        sa.select(a.channel, a.address, a.created_at, a.succeeded_at, a.off_at, a.off_reason)
        .where(a.user_id == user_id)
        .order_by(a.channel, a.id)
        .limit(2 * ROWS)
    ).all()


def reached(connection: Connection, user_id: str, ids: Sequence[str]) -> Sequence[AnyRow]:
    """Return a user's rows of channels for these notifications."""
    if not ids:
        return ()
    return connection.execute(
        sa.select(
            r.notification_id, r.channel, r.state, r.reason, r.due_at, r.next_at, r.sent_at, r.attempts,
            r.digest,
        )
        .where(r.notification_id.in_(ids), r.user_id == user_id)
        .order_by(r.id)
    ).all()  # fmt: skip


def switched_off(connection: Connection, user_id: str) -> Sequence[AnyRow]:
    """Return the last notifications that a user did not get because of a preference, newest first."""
    return connection.execute(
        sa.select(n.id, n.event, n.data, n.state, n.accepted_at, u.since, u.at)
        .join_from(suppressed, notifications, n.id == u.notification_id)
        .where(u.user_id == user_id)
        .order_by(n.number.desc())
        .limit(ROWS)
    ).all()


def outside(connection: Connection, user_id: str, limit: int = ROWS) -> Sequence[AnyRow]:
    """Return what waits, is scheduled or is dead, and not in the user's inbox, newest first.

    Of each state the newest LOOKED_AT notifications are looked through.
    """
    columns = (
        n.number, n.id, n.event, n.data, n.state, n.accepted_at, n.deliver_at, n.attempts, n.error,
        n.recipient, n.audience,
    )  # fmt: skip
    found: list[AnyRow] = []
    for state in (ACCEPTED, SCHEDULED, DEAD):
        newest = (
            sa.select(*columns)
            # In the words and the order of the partial indexes: else SQLite reads the whole table.
            .where(n.state == sa.literal_column(f"'{state}'"))
            .order_by(*(column.desc() for column in _INDEXED[state]))
            .limit(LOOKED_AT)
            .subquery()
        )
        c = newest.c
        has = sa.exists().where(d.notification_id == c.id, d.user_id == user_id)
        named = sa.or_(c.recipient == user_id, audience.holds(connection, user_id, c.audience))
        found += connection.execute(
            sa.select(newest).where(named, sa.not_(has)).order_by(c.number.desc()).limit(limit)
        )
    return sorted(found, key=lambda row: row.number, reverse=True)[:limit]


def plain_title(row: AnyRow) -> str:
    """Return a notification's title; empty for one that is withdrawn or has none."""
    return "" if row.state in WITHDRAWN else title(row.data)
