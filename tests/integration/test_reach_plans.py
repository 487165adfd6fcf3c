"""The statements of channels use their indexes on a full table, without a scan; sorts are of few rows only.

NOTIFIER_REACH_ROWS=1000000 fills in that many rows, which takes minutes (`--timeout 900`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import addresses, erase, erase_steps, reach, reach_claim, reach_outcomes
from models.store.reach_claim import Later
from models.store.reach_outcomes import Kept
from notifier.core.reach import Move
from notifier.outbox import clock
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.reach import in_flight, reconsider
from tests.harness.query_plans import assert_indexed, plans
from tests.harness.world import START, World, empty

EACH = 20  # rows of a user
USERS = int(os.environ.get("NOTIFIER_REACH_ROWS", "40000")) // EACH
WAITING = "notifier_reach_waiting_idx"


def fill(database: Database) -> None:
    """Most rows are sent long ago; some wait, alone or for a digest; a few are sending or went wrong."""
    world = World(database)
    world.fill("user-1", EACH)
    sqlite = database.engine.dialect.name == "sqlite"
    ahead = "datetime('now', '+1 day')" if sqlite else "now() + interval '1 day'"
    past = "'2026-01-01 09:00:00.000000'" if sqlite else "'2026-01-01 09:00:00+00'::timestamptz"
    many = "WITH RECURSIVE many(n) AS (SELECT 2 AS n UNION ALL SELECT n + 1 FROM many WHERE n < :users)"
    world.sql(
        f"{many} INSERT INTO notifier_deliveries (user_id, seq, notification_id, inbox, unread, persisted_at)"
        " SELECT 'user-' || n, d.seq, d.notification_id, d.inbox, d.unread, d.persisted_at"
        " FROM many, notifier_deliveries d WHERE d.user_id = 'user-1'",
        users=USERS,
    )
    world.sql(
        f"{many} INSERT INTO notifier_inboxes (user_id, seq, unread) SELECT 'user-' || n, {EACH}, {EACH} FROM many",
        users=USERS,
    )
    world.sql(
        f"{many} INSERT INTO notifier_recipients (user_id, updated_at) SELECT 'user-' || n, {past} FROM many",
        users=USERS,
    )
    world.sql(
        f"{many} INSERT INTO notifier_addresses (user_id, channel, address, created_at)"
        f" SELECT 'user-' || n, 'email', 'user-' || n || '@example.org', {past} FROM many",
        users=USERS,
    )
    world.sql(
        "INSERT INTO notifier_reach (notification_id, user_id, channel, address_id, category, state, required,"
        " digest, due_at, next_at, deadline, attempts)"
        " SELECT d.notification_id, d.user_id, 'email', a.id, 'orders',"
        " CASE WHEN d.seq < 17 THEN 'sent' WHEN a.id % 50 = 0 AND d.seq = 17 THEN 'sending'"
        " WHEN a.id % 100 = 1 AND d.seq = 17 THEN 'unknown' ELSE 'waiting' END,"
        f" {'0' if sqlite else 'false'}, CASE WHEN d.seq > 18 THEN 'daily' END,"
        f" CASE WHEN a.id % 10 = 0 THEN {past} ELSE {ahead} END,"
        f" CASE WHEN a.id % 10 = 0 THEN {past} ELSE {ahead} END,"
        f" CASE WHEN a.id % 50 = 0 AND d.seq = 17 THEN {past} END, 0"
        " FROM notifier_deliveries d JOIN notifier_addresses a ON a.user_id = d.user_id"
    )
    world.sql(
        f"{many} INSERT INTO notifier_addresses (user_id, channel, address, created_at)"
        f" SELECT 'other-' || n, 'email', 'other-' || n || '@example.org', {past} FROM many",
        users=USERS * 10,
    )
    world.sql(
        f"{many} INSERT INTO notifier_read_marks (user_id, through, at) SELECT 'user-' || n, 3, {past} FROM many",
        users=USERS,
    )
    if not sqlite:
        with database.write() as connection:
            connection.execute(sa.text("ANALYZE"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A full database of each kind."""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres_store")
        empty(database)
        fill(database)
        yield database
        empty(database)
        return
    template: Path = request.getfixturevalue("sqlite_template")
    path = shutil.copy(template, tmp_path_factory.mktemp("reach") / "notifier.db")
    database = Database(make_engine(f"sqlite:///{path}"))
    fill(database)
    yield database
    database.dispose()


def due(connection: Connection) -> list[int]:
    found = reach_claim.due(connection, "email", present=clock.present(connection), limit=20)
    assert len(found) == 20
    return [row.id for row in found]


def test_single_rows_that_are_due_are_taken_from_the_beginning_of_their_index(filled: Database) -> None:
    assert_indexed(filled, due, WAITING)


def test_digests_that_are_due_are_found_among_what_is_due_and_their_rows_by_address(filled: Database) -> None:
    def work(connection: Connection) -> None:
        found = reach_claim.due_digests(connection, "email", present=clock.present(connection), limit=5)
        assert len(found) == 5

    found = plans(filled, work)
    assert not {table for plan in found for table in plan.scans} & {"notifier_reach", "notifier_addresses"}
    assert {"notifier_reach_digest_idx"} <= {index for plan in found for index in plan.indexes}


@pytest.mark.parametrize("what", ["claim", "skip", "postpone", "keep", "again"])
def test_rows_are_changed_by_their_keys(filled: Database, what: str) -> None:
    with filled.read() as connection:
        ids = list(connection.scalars(sa.text("SELECT id FROM notifier_reach ORDER BY id LIMIT 20")))

    def work(connection: Connection) -> None:
        present = clock.present(connection)
        later = present + timedelta(days=1)
        {
            "claim": lambda: reach_claim.claim(connection, ids, present=present),
            "skip": lambda: reach_claim.skip(connection, dict.fromkeys(ids, "read")),
            "postpone": lambda: reach_claim.postpone(connection, dict.fromkeys(ids, Later(later, later))),
            "keep": lambda: reach_outcomes.keep(
                connection, [Kept(id, 1, Move.SENT) for id in ids], present=present
            ),
            "again": lambda: reach_outcomes.again(connection, dict.fromkeys(ids, later)),
        }[what]()

    assert_indexed(filled, work)


@pytest.mark.parametrize(
    ("work", "index"),
    [
        (lambda c: reach_outcomes.overdue(c, present=clock.present(c)), "notifier_reach_sending_idx"),
        (reach.undelivered, "notifier_reach_wrong_idx"),
        (lambda c: reconsider(c, "user-7"), "notifier_reach_user_id_idx"),
    ],
)
def test_what_is_looked_for_has_its_index(
    filled: Database, work: Callable[[Connection], object], index: str
) -> None:
    assert_indexed(filled, work, index)


def test_what_belongs_to_a_notification_is_looked_up(filled: Database) -> None:
    with filled.read() as connection:
        id = connection.scalar(
            sa.text("SELECT notification_id FROM notifier_deliveries WHERE user_id = 'user-7'")
        )
    for work in (
        lambda connection: in_flight(connection, id),
        lambda connection: reach.of_delivery(connection, id, "user-7"),
    ):
        found = plans(filled, work)
        assert not {table for plan in found for table in plan.scans} & {"notifier_reach"}


def test_successes_of_addresses_are_kept_by_key(filled: Database) -> None:
    def work(connection: Connection) -> None:
        addresses.lock(connection, [3, 5, 7])
        addresses.succeeded(connection, [3, 5, 7], present=clock.present(connection))

    found = plans(filled, work)
    assert not {table for plan in found for table in plan.scans} & {"notifier_addresses"}


def test_what_waits_and_went_wrong_is_counted_by_its_indexes(filled: Database) -> None:
    found = plans(filled, lambda connection: reach.backlog(connection, present=clock.present(connection)))
    assert not {table for plan in found for table in plan.scans} & {"notifier_reach"}


def test_an_erasure_finds_the_rows_of_its_user(filled: Database) -> None:
    def work(connection: Connection) -> None:
        assert erase.left(connection, "user-7")["notifier_reach"] == EACH
        assert erase.mailboxes(connection, "user-7") == ["user-7@example.org"]
        erase.mail_names(connection, "user-7", after=0, limit=500)
        assert erase_steps.channel_rows(connection, "user-7", limit=200, now=START) == {"channel_rows": EACH}
        assert erase_steps.rest(connection, "user-7", limit=200, now=START)

    found = plans(filled, work)
    assert not {table for plan in found for table in plan.scans} & {
        "notifier_reach", "notifier_addresses", "notifier_recipients", "notifier_read_marks",
    }  # fmt: skip


def test_a_notifications_channels_are_counted_by_its_key(filled: Database) -> None:
    with filled.read() as connection:
        id = connection.scalar(
            sa.text("SELECT notification_id FROM notifier_reach WHERE user_id = 'user-7' LIMIT 1")
        )
    found = plans(filled, lambda connection: reach.states(connection, id))
    assert not {table for plan in found for table in plan.scans} & {"notifier_reach"}
