"""Recipients with addresses, and the rows of their channels: what tests of `notifier_reach` do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from models.tables import addresses, reach, recipients
from notifier.channels import Message, Result
from notifier.core.categories import Category, Reach
from notifier.outbox.types import AnyRow
from tests.harness.world import World
from usecases import reach as usecase
from usecases import reach_outcomes
from usecases.reach import Claimed
from usecases.reach_outcomes import Outcome
from usecases.reach_rules import Rules

CATEGORIES = {
    "orders": Category("orders", "Orders", reach={"email": Reach(), "push": Reach()}),
    "later": Category("later", "Later", reach={"email": Reach("10m", "read")}),
    "watch": Category("watch", "Watch", reach={"email": Reach("10m", "seen")}),
    "security": Category("security", "Security", required=True, reach={"email": Reach()}),
    "chat": Category("chat", "Chat", reach={"sms": Reach()}),
}
RULES = Rules(time(9), "UTC", 3, 1.0, 300.0, False)


def v(value: object) -> dict[str, object]:
    """A value, as it is stored."""
    return {"value": value, "at": 0}


class People:
    """Recipients, their addresses, and what channels do for them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def add(self, user: str, *channels: str, preferences: Mapping[str, Any] | None = None) -> None:
        with self.world.database.write() as connection:
            connection.execute(
                sa.insert(recipients).values(
                    user_id=user,
                    preferences=preferences,
                    timezone="Europe/Berlin",
                    updated_at=datetime.now(UTC),
                )
            )
            for channel in channels:
                connection.execute(
                    sa.insert(addresses).values(
                        user_id=user, channel=channel, address=f"{user}@{channel}.example",
                        created_at=datetime.now(UTC),
                    )
                )  # fmt: skip

    def prefer(self, user: str, preferences: Mapping[str, Any]) -> None:
        with self.world.database.write() as connection:
            connection.execute(
                sa.update(recipients).where(recipients.c.user_id == user).values(preferences=preferences)
            )

    def send(self, *users: str, category: str = "orders", title: str = "t", **life: Any) -> str:
        id = self.world.accept(
            *users, data={"title": title, "message": "m", "type": "info"}, category=category, **life
        ).id
        self.world.dispatch()
        return id

    def rows(self, **where: Any) -> list[AnyRow]:
        query = sa.select(reach).order_by(reach.c.id)
        for name, value in where.items():
            query = query.where(reach.c[name] == value)
        with self.world.database.read() as connection:
            return list(connection.execute(query))

    def states(self, **where: Any) -> list[str]:
        return [row.state for row in self.rows(**where)]

    def move_due(self, seconds: float) -> None:
        """Let all that waits have been due so much earlier."""
        with self.world.database.write() as connection:
            for row in connection.execute(sa.select(reach)).all():
                earlier = timedelta(seconds=seconds)
                connection.execute(
                    sa.update(reach)
                    .where(reach.c.id == row.id)
                    .values(due_at=row.due_at - earlier, next_at=row.next_at - earlier,
                            deadline=row.deadline - earlier if row.deadline else None)
                )  # fmt: skip

    def claim(self, channel: str = "email", limit: int = 100, **more: Any) -> list[Claimed]:
        return list(usecase.claim(self.world.database, channel, limit, (), rules=more.get("rules", RULES)))

    def keep(self, claimed: Claimed, result: Result, rules: Rules = RULES) -> None:
        reach_outcomes.keep(self.world.database, [Outcome(claimed, result)], rules=rules, jitter=lambda: 1.0)

    def finish(self, result: Result, channel: str = "email", rules: Rules = RULES) -> Message:
        (claimed,) = self.claim(channel, rules=rules)
        self.keep(claimed, result, rules)
        return claimed.message
