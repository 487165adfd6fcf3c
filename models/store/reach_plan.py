"""Plan the rows of channels that a dispatch writes beside the deliveries.

Only asked for notifications whose category has a reach; all others cost nothing.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import reach
from models.tables import addresses, recipients
from notifier.core.categories import Category
from notifier.core.policy import OFF, channel_value
from notifier.core.reach import State
from notifier.outbox import clock
from notifier.outbox.dialect import Rows

a, p = addresses.c, recipients.c

_USERS = Rows("users", user_id=sa.Text)


@cache
def _addresses(dialect: str) -> sa.Select[Any]:
    users = sa.select(_USERS.table(dialect).c.user_id)
    return (
        sa.select(a.id, a.user_id, a.channel, p.preferences)
        .select_from(addresses)
        .outerjoin(recipients, p.user_id == a.user_id)
        .where(a.user_id.in_(users), a.off_at.is_(None))
        .order_by(a.id)
    )


def plan(connection: Connection, wanted: Sequence[tuple[str, Category, Sequence[str]]]) -> bool:
    """Write the rows for (notification, its category, users who got it); return whether one is due at once.

    A user without an address for a channel, or who switched it off, gets no row.
    """
    wanted = [one for one in wanted if one[1].reach and one[2]]
    if not wanted:
        return False
    now = clock.present(connection)
    users = sorted({user for _, _, given in wanted for user in given})
    found: dict[str, list[Any]] = {}
    rows = connection.execute(
        _addresses(connection.dialect.name),
        _USERS.parameters(connection, [{"user_id": user} for user in users]),
    )
    for row in rows:
        found.setdefault(row.user_id, []).append(row)
    planned = [
        {
            "notification_id": id,
            "user_id": user,
            "channel": row.channel,
            "address_id": row.id,
            "category": category.name,
            "state": State.WAITING,
            "reason": None,
            "required": category.required,
            "unless": category.reach[row.channel].unless,
            "digest": None,
            "due_at": (due := now + timedelta(seconds=category.reach[row.channel].seconds)),
            "next_at": due,
        }
        for id, category, given in wanted
        for user in given
        for row in found.get(user, ())
        if row.channel in category.reach
        and channel_value(row.preferences, category.name, row.channel, required=category.required) != OFF
    ]
    reach.insert(connection, planned)
    return any(row["due_at"] <= now for row in planned)
