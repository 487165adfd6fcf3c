"""Write several days of history before a site starts, for tests of days and latencies."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta

from models.store import devices, dispatch, failures
from models.store.delivered import Ack
from notifier.core.effects import Acked
from notifier.outbox.engine import Database, make_engine
from tests.harness.world import World, alert, migrate

KINDS = ("info", "success", "warning", "error")
DAYS = 6
ERROR = "ValueError: no queue for <script>alert(1)</script>"


def write_past(database_url: str, *, seed: int = 11, a_day: int = 40) -> tuple[str, str]:
    """Migrate, and write `DAYS` days until yesterday, and two dead notifications; return their ids."""
    database = Database(make_engine(database_url))
    migrate(database.engine)
    dice = random.Random(seed)
    today = datetime.combine(datetime.now(UTC).date(), time(), UTC)
    world = World(database)
    for day in range(DAYS, 0, -1):
        world.now = today - timedelta(days=day)
        for _ in range(a_day + 5 * day):
            world.tick(dice.uniform(10, 1_200))
            _one(world, dice)
    ids = _dead(world), _dead(world)
    database.dispose()
    return ids


def _one(world: World, dice: random.Random) -> None:
    user = f"user-{dice.randrange(12)}"
    began = world.now
    id = world.accept(user, data=alert("Order Shipped", type=dice.choice(KINDS))).id
    world.now = began + timedelta(milliseconds=1000 + dice.lognormvariate(2, 0.5))
    moment = world.now
    world.database.run(lambda c: dispatch.dispatch_batch(c, limit=10, now=moment, woken_at=began))
    world.database.run(lambda c: dispatch.published(c, {id: moment}))
    if dice.random() < 0.85:
        seq = world.head(user)[0]
        acked = world.now + timedelta(milliseconds=dice.lognormvariate(4, 1.2))
        ack = Ack(user, "phone", Acked(1, 0, seq - 1, seq), "0b2d6f9c-1111-4222-8333-444455556666")
        world.database.run(lambda c: devices.flush(c, [ack], [], now=acked))
        if dice.random() < 0.6:
            world.now = acked + timedelta(seconds=dice.lognormvariate(3, 1.5))
            world.read(user, id)
    world.now = began


def _dead(world: World) -> str:
    id = world.send("user-1")
    number, moment = world.notification(id).number, world.now
    world.database.run(
        lambda c: failures.postpone(c, number, ERROR, now=moment, delay=timedelta(0), max_attempts=1)
    )
    return id
