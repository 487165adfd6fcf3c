"""Apply preferences in a dispatch's transaction: who has switched a category off, and for whom it is quiet.

Asked only when somebody has preferences or a category has defaults (`models.store.special`): else it is no
statement. Who has switched a category off gets no seq and no count, but a row that says so and since when.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import deliveries, notifications, recipients, suppressed
from notifier.core.categories import GENERAL, Category, category
from notifier.core.log import Entry
from notifier.core.log_throttle import LogThrottle
from notifier.core.policy import quiet_until, switched_off, zone_of
from notifier.outbox.dialect import Insertion, Rows
from notifier.outbox.types import AnyRow

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

n, p, d = notifications.c, recipients.c, deliveries.c


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided about the recipients of one notification.

    Attributes:
        off: those who have switched it off, each with since when; None: a default of the category.
        quiet: those for whom it is quiet.
    """

    off: Mapping[str, datetime | None] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset()


class Given(Protocol):
    """What `keep` needs of a notification that is dispatched."""

    @property
    def row(self) -> AnyRow:
        """Its row."""

    @property
    def decided(self) -> Decided:
        """The users who have switched it off."""


NOTHING = Decided()

_USERS = Rows("users", user_id=sa.Text)
_HUSHED = Rows("hushed", user_id=sa.Text, seq=sa.BigInteger)
_KEEP = Insertion(suppressed, ("notification_id", "user_id", "since", "at"))
_COUNT = (
    sa.update(notifications)
    .where(n.number == sa.bindparam("its_number"))
    .values(suppressed=n.suppressed + sa.bindparam("more"))
)


@cache
def _preferences(dialect: str) -> sa.Select[Any]:
    named = sa.select(_USERS.table(dialect).c.user_id)
    return sa.select(p.user_id, p.preferences, p.timezone).where(
        p.user_id.in_(named), sa.text("preferences IS NOT NULL")
    )


@cache
def _hush(dialect: str) -> sa.Update:
    hushed = _HUSHED.table(dialect)
    same = sa.and_(d.user_id == hushed.c.user_id, d.seq == hushed.c.seq)
    return sa.update(deliveries).where(same).values(quiet=sa.true())


def decide(
    connection: Connection, work: Iterable[tuple[AnyRow, Sequence[str]]], *, now: datetime, zone: str
) -> dict[int, Decided]:
    """Decide about the recipients of notifications; return, by number, those with exceptions only.

    Args:
        connection: the dispatch's transaction.
        work: rows as `special.complete` returns them, with their recipients.
        now: the present.
        zone: of people who have none.
    """
    asked = [(row, users) for row, users in work if hasattr(row, "preferring") and row.inbox]
    found: dict[str, AnyRow] = {}
    if any(row.preferring for row, _ in asked):
        names = sorted({user for _, users in asked for user in users})
        named = _USERS.parameters(connection, [{"user_id": user} for user in names])
        found = {row.user_id: row for row in connection.execute(_preferences(connection.dialect.name), named)}
    decided: dict[int, Decided] = {}
    for row, users in asked:
        kind = category(row.category or GENERAL) or category(GENERAL)
        assert kind is not None
        if kind.required or (not found and not kind.defaults):
            continue
        one = _decide(kind, users, found, now, zone)
        if one.off or one.quiet:
            decided[row.number] = one
    return decided


def _decide(
    kind: Category, users: Sequence[str], found: Mapping[str, AnyRow], now: datetime, zone: str
) -> Decided:
    off: dict[str, datetime | None] = {}
    quiet = set()
    for user in users:
        row = found.get(user)
        if row is None and not kind.defaults:
            continue
        stored, timezone = (row.preferences, row.timezone) if row else (None, None)
        try:
            choice = switched_off(kind, stored)
            if choice is not None:
                off[user] = datetime.fromtimestamp(choice.since / 1_000, UTC) if choice.since else None
            elif quiet_until(stored, zone_of(stored, timezone, zone), now) is not None:
                quiet.add(user)
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            # Written by hand: one user's row must not hold up the others.
            throttled.warning("preferences that cannot be read count as none: user=%s error=%s", user, exc)
    return Decided(off, frozenset(quiet))


def keep(connection: Connection, work: Iterable[Given], *, now: datetime) -> None:
    """Keep who has switched what off, and count them."""
    counted = [one for one in work if one.decided.off]
    if not counted:
        return
    rows = [
        {"notification_id": one.row.id, "user_id": user, "since": since, "at": now}
        for one in counted
        for user, since in sorted(one.decided.off.items())
    ]
    _KEEP.execute(connection, rows)
    connection.execute(
        _COUNT, [{"its_number": one.row.number, "more": len(one.decided.off)} for one in counted]
    )


def hush(
    connection: Connection, entries: Sequence[tuple[str, Entry]], quiet: Mapping[str, frozenset[str]]
) -> list[tuple[str, Entry]]:
    """Mark the entries of users for whom it is quiet; return all entries.

    Args:
        connection: the dispatch's transaction, which has just written them.
        entries: (user id, entry).
        quiet: notification id -> users.
    """
    marked = [
        (user, replace(entry, quiet=True)) if user in quiet.get(entry.id or "", ()) else (user, entry)
        for user, entry in entries
    ]
    hushed = [{"user_id": user, "seq": entry.seq} for user, entry in marked if entry.quiet]
    if hushed:
        connection.execute(_hush(connection.dialect.name), _HUSHED.parameters(connection, hushed))
    return marked
