"""Recipients in SQL: profiles, addresses, preferences. Everything here joins the caller's transaction.

The row of a recipient is locked first, so that of two changes at once the second sees the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.core.recipients import EMAIL, PUSH
from notifier.outbox.dialect import insert
from notifier.outbox.reach import reconsider
from notifier.outbox.tables import addresses, recipients

p, a = recipients.c, addresses.c


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a recipient.

    Attributes:
        user_id: who.
        email, name, locale, timezone: None: not known.
        addresses: channel -> address, of the channels beside email and push.
        off: channel -> why its address was switched off.
        preferences: as they are stored; None: none.
    """

    user_id: str
    email: str | None = None
    name: str | None = None
    locale: str | None = None
    timezone: str | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)
    preferences: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as the HTTP API writes it."""
        return {
            "user_id": self.user_id,
            "email": self.email,
            "name": self.name,
            "locale": self.locale,
            "timezone": self.timezone,
            "addresses": dict(self.addresses),
            "off": dict(self.off),
        }


def find(connection: Connection, user_id: str) -> Profile | None:
    """Return a recipient's profile; None: nothing was ever set."""
    row = connection.execute(sa.select(recipients).where(p.user_id == user_id)).first()
    if row is None:
        return None
    found = connection.execute(
        sa.select(a.channel, a.address, a.off_at, a.off_reason)
        .where(a.user_id == user_id, a.channel != PUSH)
        .order_by(a.channel)
    ).all()
    known = {channel: address for channel, address, *_ in found}
    email = known.pop(EMAIL, None)
    off = {one.channel: one.off_reason or "" for one in found if one.off_at is not None}
    return Profile(user_id, email, row.name, row.locale, row.timezone, known, off, row.preferences)


def put(connection: Connection, user_id: str, fields: Mapping[str, Any], *, now: datetime) -> Profile:
    """Set some fields of a profile (`notifier.core.recipients.check_profile` checks them); return it.

    An address that is set again stays as it is, switched off or not; another one replaces it.
    """
    given = dict(fields)
    reached = dict(given.pop("addresses", None) or {})
    if EMAIL in given:
        reached[EMAIL] = given.pop(EMAIL)
    lock(connection, user_id, now=now)
    if "timezone" in given:
        reconsider(connection, user_id)
    if given:
        connection.execute(sa.update(recipients).where(p.user_id == user_id).values(**given, updated_at=now))
    for channel, address in sorted(reached.items()):
        _set_address(connection, user_id, channel, address, now)
    found = find(connection, user_id)
    assert found is not None
    return found


def lock(connection: Connection, user_id: str, *, now: datetime) -> tuple[dict[str, Any] | None, str | None]:
    """Lock a recipient's row, which is made where there is none; return (preferences, timezone)."""
    made = insert(connection, recipients).values(user_id=user_id, updated_at=now)
    connection.execute(made.on_conflict_do_nothing())
    row = connection.execute(
        sa.select(p.preferences, p.timezone).where(p.user_id == user_id).with_for_update()
    ).one()
    return row.preferences, row.timezone


def keep_preferences(
    connection: Connection, user_id: str, preferences: Mapping[str, Any] | None, *, now: datetime
) -> None:
    """Store the preferences of a recipient whose row is locked."""
    kept = sa.null() if preferences is None else dict(preferences)
    connection.execute(
        sa.update(recipients).where(p.user_id == user_id).values(preferences=kept, updated_at=now)
    )


def _set_address(
    connection: Connection, user_id: str, channel: str, address: str | None, now: datetime
) -> None:
    mine = (a.user_id == user_id, a.channel == channel)
    other = sa.true() if address is None else a.address != address
    connection.execute(sa.delete(addresses).where(*mine, other))
    if address is not None and connection.scalar(sa.select(a.id).where(*mine)) is None:
        row = {"user_id": user_id, "channel": channel, "address": address, "created_at": now}
        connection.execute(sa.insert(addresses), row)
