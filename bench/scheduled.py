"""Accept and dispatch beside a million scheduled notifications, and without them: do they cost anything?

python -m bench scheduled
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import sqlalchemy as sa

from bench import growth
from bench.growth import WARM, Given
from bench.run import alone
from bench.scenario import Metric, Scenario, Values, at_most
from bench.sides import OURS
from bench.sql import filled
from models.store import due
from notifier.outbox.engine import Database

DELIVERIES = 10_000


@contextmanager
def prepare(*, seed: int, scheduled: int, batches: int) -> Iterator[Given]:  # noqa: ARG001
    """Make two equal databases; in one of them many notifications are due in the coming year."""
    with filled(DELIVERIES, seed) as without, filled(DELIVERIES, seed) as beside:
        schedule(beside, scheduled)
        yield {"few": without, "many": beside}


def schedule(database: Database, how_many: int) -> None:
    """Schedule copies of one notification, a second apart, from tomorrow on."""
    with database.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO notifier_notifications (id, event, inbox, data, recipient, recipients, bulk,"
                " sender, request_hash, accepted_at, state, deliver_at, scheduled_at)"
                " SELECT gen_random_uuid(), event, inbox, data, recipient, 1, false, sender, request_hash,"
                " accepted_at, 'scheduled', now() + interval '1 day' + n * interval '1 second', accepted_at"
                " FROM generate_series(1, :how_many) AS n,"
                " (SELECT * FROM notifier_notifications WHERE recipient IS NOT NULL AND inbox LIMIT 1) AS one"
            ),
            {"how_many": how_many},
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE notifier_notifications")


def measure(name: str, *, seed: int, scheduled: int, batches: int, given: Given) -> Values:
    """Do the same work on both in turn, and look for what is due; return medians and ratios."""
    values = growth.measure(name, seed=seed, few=0, many=scheduled, batches=batches, given=given)
    looks = [growth.timed(lambda: _look(given["many"])) for _ in range(20 * (WARM + batches))]
    return {
        **{key: value for key, value in values.items() if not key.startswith("page")},
        "due_ms": round(median(looks) * 1000, 3),
    }


def _look(database: Database) -> None:
    with database.read() as connection:
        assert due.due(connection).due


SCENARIO = Scenario(
    name="scheduled",
    title="Beside a million scheduled notifications",
    about="The same work on two PostgreSQL databases with 10,000 deliveries, in turn; in one of them "
    "1,000,000 notifications are scheduled for the coming days: accept an alert and commit, dispatch 50 of "
    "them in one statement. Medians, and what the one takes in proportion to the other; and how long a "
    "worker takes to ask when the next one is due.",
    sides=(OURS,),
    full={"scheduled": 1_000_000, "batches": 40},
    pilot={"scheduled": 20_000, "batches": 3},
    metrics=(
        Metric("dispatch_ratio", "dispatch of 50, beside : without", "times", goal=at_most(1.2, "times")),
        Metric("accept_ratio", "accept", "times", goal=at_most(1.2, "times")),
        Metric("dispatch_many_ms", "dispatch of 50 beside them", "ms"),
        Metric("accept_many_ms", "accept beside them", "ms"),
        Metric("due_ms", "when is the next one due", "ms"),
    ),
    measure=measure,
    prepare=prepare,
)


if __name__ == "__main__":
    alone(SCENARIO)
