"""The important statements use their index on a full table, without a scan and without a sort.

NOTIFIER_DELIVERIES=1000000 fills in that many rows, which takes several minutes (`--timeout 900`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.engine import Connection

from models.store import (
    at_once,
    collapse,
    delivered,
    dispatch,
    due,
    expiry,
    inbox,
    inbox_heads,
    log,
    owed,
    pages,
    purge,
    removal,
    reports,
    snapshots,
    snooze,
    sockets,
    status,
    timeline,
    untold,
)
from models.store.delivered import Ack
from models.store.sockets import Ended
from notifier.core.effects import Acked
from notifier.core.log import READ, Status, Why
from notifier.outbox.engine import Database, make_engine
from tests.harness import query_plans
from tests.harness.query_plans import assert_indexed, plans
from tests.harness.world import START, World, empty

#: Tables of channels have no rows here: test_reach_plans.py fills them.
SCANNED = query_plans.SCANNED - {"notifier_reach", "notifier_addresses", "notifier_recipients"}
BUSY = "busy"
LONG, EACH = 60_000, 60  # one long log, and many short ones
USERS = (int(os.environ.get("NOTIFIER_DELIVERIES", "120000")) - LONG) // EACH
SOCKETS = 50_000
SCHEDULED = int(os.environ.get("NOTIFIER_SCHEDULED", "20000"))
LATER = START + timedelta(days=1)


def _time(database: Database, day: int) -> str:
    """A moment in ten years, in SQL."""
    text = f"'2036-01-0{day} 03:04:05.000000'"
    return text if database.engine.dialect.name == "sqlite" else f"{text}::timestamptz"


def fill(database: Database) -> None:
    """Fill in a production-like mix: one user with a long history, mostly read; many users with short ones.

    It is only for the planner: the seqs of deliveries and changes are not a valid log.
    """
    world = World(database)
    world.fill(BUSY, LONG)

    def many(how_many: int, statement: str) -> None:
        """Run an INSERT … SELECT … FROM many: numbers from 1."""
        numbers = "SELECT 1 AS n UNION ALL SELECT n + 1 FROM many WHERE n < :how_many"
        world.sql(f"WITH RECURSIVE many(n) AS ({numbers}) {statement}", how_many=how_many)

    many(
        USERS,
        "INSERT INTO notifier_deliveries (user_id, seq, notification_id, inbox, unread, persisted_at)"
        " SELECT 'user-' || n, d.seq, d.notification_id, d.inbox, d.unread, d.persisted_at"
        f" FROM many, notifier_deliveries d WHERE d.user_id = '{BUSY}' AND d.seq <= {EACH}",
    )
    many(
        USERS * 10,
        f"INSERT INTO notifier_inboxes (user_id, seq, unread) SELECT 'user-' || n, {EACH}, {EACH} FROM many",
    )
    many(
        USERS * 10,
        "INSERT INTO notifier_badges (user_id, type, count, seq) SELECT 'user-' || n, 'tasks', 1, 1 FROM many",
    )
    for user, how_many in ((BUSY, 20_000), ("user-7", 50), ("user-8", 10_000)):
        columns, one = (
            f"SELECT '{user}', {LONG} - {how_many} + n",
            "notifier_notifications i WHERE i.number = 1",
        )
        many(
            how_many,
            "INSERT INTO notifier_changes (user_id, seq, event, data, unread, at)"
            f" {columns}, 'inbox.read', i.data, 0, i.accepted_at FROM many, {one}",
        )
        many(
            how_many,
            f"INSERT INTO notifier_read_marks (user_id, through, at) {columns} - 2100, i.accepted_at FROM many, {one}",
        )
    many(
        50,
        "INSERT INTO notifier_gateways (id, started_at, seen_at)"
        " SELECT 'gateway-' || n, i.accepted_at, i.accepted_at FROM many, notifier_notifications i WHERE i.number = 1",
    )
    many(
        SOCKETS,
        "INSERT INTO notifier_sockets (id, user_id, gateway, opened_at, head, closed_at)"
        " SELECT 'socket-' || n, 'user-' || (n % 1000), 'gateway-' || (n % 50), i.accepted_at, 1,"
        " CASE WHEN n % 100 > 0 THEN i.accepted_at END FROM many, notifier_notifications i WHERE i.number = 1",
    )
    world.read_through(BUSY, LONG - 2_000)
    early = world.page(BUSY, limit=300, before=5_000)
    world.unread(BUSY, *(item.id for item in early[::3]))
    world.archive(BUSY, *(item.id for item in early[1::3]))
    world.read(BUSY, *(item.id for item in world.page(BUSY, limit=100)[::2]))
    for number in range(100):
        world.send(f"user-{number + 1}")
    # Many that are far from due, and some that end one day: a dispatch must not notice them.
    same = "event, data, inbox, sender, recipient, recipients, bulk, position, reached, request_hash, accepted_at"
    other = (
        "printf('00000000-0000-7001-8000-%012x', n)"
        if database.engine.dialect.name == "sqlite"
        else "('00000000-0000-7001-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
    )
    many(
        SCHEDULED,
        f"INSERT INTO notifier_notifications (id, {same}, state, deliver_at, scheduled_at, expires_at)"
        f" SELECT {other}, i.event, i.data, i.inbox, i.sender, i.recipient, i.recipients, i.bulk, 0, 0,"
        " i.request_hash, i.accepted_at, 'scheduled', '2036-01-02 03:04:05.000000', i.accepted_at,"
        " CASE WHEN n % 10 = 0 THEN '2036-01-03 03:04:05.000000' END"
        " FROM many, notifier_notifications i WHERE i.number = 1".replace(
            "'2036-01-02 03:04:05.000000'", _time(database, 2)
        ).replace("'2036-01-03 03:04:05.000000'", _time(database, 3)),
    )
    world.sql(
        "UPDATE notifier_deliveries SET hidden = 'snoozed', until = persisted_at"
        f" WHERE user_id LIKE 'user-%' AND seq <= 5 OR user_id = '{BUSY}' AND seq BETWEEN 20000 AND 22000"
    )
    if database.engine.dialect.name == "postgresql":  # PostgreSQL does so by itself; on SQLite nobody does
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
    path = shutil.copy(template, tmp_path_factory.mktemp("filled") / "notifier.db")
    database = Database(make_engine(f"sqlite:///{path}"))
    fill(database)
    yield database
    database.dispose()


def test_replay_is_two_index_scans(filled: Database) -> None:
    for user, after in ((BUSY, LONG - 500), (BUSY, 10), ("user-7", 50)):
        assert_indexed(
            filled,
            lambda c, u=user, a=after: log.entries(c, u, a),
            "notifier_deliveries_pkey",
            "notifier_changes_pkey",
        )


def test_a_snapshot_to_resume_from_reads_what_is_missing_alone(filled: Database) -> None:
    assert_indexed(
        filled,
        lambda c: snapshots.snapshot(c, BUSY, LONG - 500),
        "notifier_inboxes_pkey",
        "notifier_deliveries_pkey",
        "notifier_changes_pkey",
    )


def test_the_window_is_read_from_the_unread_alone(filled: Database) -> None:
    assert_indexed(
        filled,
        lambda c: snapshots.snapshot(c, BUSY, None),
        "notifier_deliveries_unread_idx",
        "notifier_deliveries_kept_unread_idx",
    )


def test_an_unread_page_is_read_from_the_unread_alone(filled: Database) -> None:
    for before in (None, LONG - 100):
        assert_indexed(
            filled,
            lambda c, b=before: pages.page(c, BUSY, Status.UNREAD, 50, b),
            "notifier_deliveries_unread_idx",
            "notifier_deliveries_kept_unread_idx",
        )


def test_an_unread_page_below_the_watermark_asks_for_what_was_kept_unread_alone(filled: Database) -> None:
    def work(connection: Connection) -> object:
        return pages.page(connection, BUSY, Status.UNREAD, 50, 4_900)

    assert_indexed(filled, work, "notifier_deliveries_kept_unread_idx")
    assert len(plans(filled, work)) == 2  # the inbox's row, and the page


@pytest.mark.parametrize("status", [Status.ALL, Status.READ])
def test_a_page_is_read_along_the_log(filled: Database, status: Status) -> None:
    for before in (None, 30_000):
        assert_indexed(
            filled, lambda c, b=before: pages.page(c, BUSY, status, 50, b), "notifier_deliveries_pkey"
        )


def test_an_archived_page_is_read_from_the_archived_alone(filled: Database) -> None:
    assert_indexed(
        filled,
        lambda c: pages.page(c, BUSY, Status.ARCHIVED, 50, None),
        "notifier_deliveries_archived_idx",
    )


def test_what_is_snoozed_is_found_by_its_own_indexes(filled: Database) -> None:
    assert_indexed(
        filled,
        lambda c: pages.page(c, BUSY, Status.SNOOZED, 50, None),
        "notifier_deliveries_snoozed_idx",
    )
    assert_indexed(filled, snooze.next_due, "notifier_deliveries_due_idx")
    found = plans(filled, lambda c: snooze.whose(c, 500))
    assert [plan.indexes & {"notifier_deliveries_due_idx"} for plan in found] == [
        {"notifier_deliveries_due_idx"}
    ]


def test_what_a_collapse_key_replaces_is_found_by_its_index(filled: Database) -> None:
    keys = [(f"user-{number}", collapse.digest("shop", "build")) for number in range(20)]
    found = plans(filled, lambda c: collapse.Collapse(c, keys))
    assert all("notifier_deliveries_collapse_idx" in plan.indexes for plan in found)
    assert not any(plan.scans & SCANNED for plan in found)


def test_a_notification_is_taken_out_of_inboxes_by_keys(filled: Database) -> None:
    with filled.read() as connection:
        id = pages.page(connection, "user-3", Status.ALL, 1, None)[0][0].id
    users = [f"user-{number}" for number in range(1, 20)]
    for work in (
        lambda c: removal.holders(c, id, limit=100),
        lambda c: removal.remove(c, id, users, Why.RETRACTED, now=LATER),
    ):
        found = plans(filled, work)
        assert not any(plan.scans & SCANNED for plan in found), [
            plan.statement for plan in found if plan.scans
        ]


def test_heads_are_looked_up(filled: Database) -> None:
    users = [f"user-{number}" for number in range(20)]
    assert_indexed(filled, lambda c: inbox_heads.heads(c, users), "notifier_inboxes_pkey")


def test_what_is_due_is_found_among_what_waits(filled: Database) -> None:
    for work in (
        lambda c: dispatch.due_numbers(c, limit=100, now=LATER),
        lambda c: dispatch.waiting(c, now=LATER),
    ):
        assert_indexed(filled, work, "notifier_notifications_waiting_idx")


def test_scheduled_ones_cost_a_dispatch_nothing_and_the_next_time_is_at_an_indexs_beginning(
    filled: Database,
) -> None:
    with filled.read() as connection:
        known = due.due(connection)
    assert known.due is not None
    assert known.due > 0
    assert_indexed(filled, lambda c: dispatch.due_numbers(c, limit=100, now=LATER),
                   "notifier_notifications_waiting_idx")  # fmt: skip
    assert_indexed(filled, due.due, "notifier_notifications_scheduled_idx",
                   "notifier_notifications_expiring_idx", "notifier_notifications_untold_idx")  # fmt: skip
    assert_indexed(filled, lambda c: due.take_up(c, 100), "notifier_notifications_scheduled_idx")
    assert_indexed(filled, lambda c: expiry.expire(c, 100), "notifier_notifications_expiring_idx")
    assert_indexed(filled, lambda c: untold.some(c, 100), "notifier_notifications_untold_idx")


def test_a_batch_is_taken_by_its_index_when_one_plan_serves_all_parameters(filled: Database) -> None:
    """The server keeps such a plan of a prepared statement: the index's condition must be in its text."""
    if filled.engine.dialect.name != "postgresql":
        pytest.skip("SQLite plans the text")
    text = str(dispatch._take("postgresql").compile(dialect=asyncpg.dialect()))  # type: ignore[no-untyped-call]
    with filled.engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        connection.exec_driver_sql(f"PREPARE take AS {text}")
        rows = connection.exec_driver_sql("EXPLAIN EXECUTE take(now(), 100)").scalars()
        assert "notifier_notifications_waiting_idx" in "".join(rows)
        connection.exec_driver_sql("DEALLOCATE take")


def test_what_is_owed_is_looked_up(filled: Database) -> None:
    if filled.engine.dialect.name != "postgresql":
        pytest.skip("nobody is passed over on SQLite")
    with filled.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO notifier_owed SELECT 'user-' || mod(n, 1000), n FROM generate_series(1, 5000) n"
        )
        connection.exec_driver_sql("ANALYZE notifier_owed")
    users = [f"user-{number}" for number in range(1, 21)]
    for work in (
        lambda c: owed.oldest(c, busy=users, only=(), now=LATER),
        lambda c: owed.oldest(c, busy=(), only=users, now=LATER),
        lambda c: owed.users(c, 7, busy=users, only=(), limit=100),
        lambda c: owed.remove(c, 7, users),
    ):
        for plan in plans(filled, work):
            assert not plan.scans & {"notifier_owed", "notifier_notifications", "notifier_inboxes"}, plan
    with filled.write() as connection:  # the tests that follow find nothing owed
        connection.exec_driver_sql("DELETE FROM notifier_owed")


def test_a_batch_is_taken_in_its_order_without_a_sort(filled: Database) -> None:
    found = plans(filled, lambda c: dispatch.dispatch_batch(c, limit=100, now=LATER))
    taking = found[0]
    assert "notifier_notifications_waiting_idx" in taking.indexes
    assert not taking.sorts
    assert not any(plan.scans & SCANNED for plan in found)


def test_the_one_statement_looks_up_each_row(filled: Database) -> None:
    if filled.engine.dialect.name == "postgresql":
        (plan,) = plans(filled, lambda c: at_once.dispatch_plain(c, limit=100, now=LATER))
        assert "notifier_notifications_waiting_idx" in plan.indexes
        assert not plan.scans & SCANNED, plan


def test_an_ack_updates_what_it_covers_alone(filled: Database) -> None:
    for ack in (
        Ack(BUSY, "phone", Acked(LONG - 49, LONG, 0, LONG)),
        Ack(BUSY, "phone", Acked(10_001, 10_000, 10_100, 10_150)),
        Ack("user-7", "phone", Acked(1, 0, 0, EACH)),
    ):
        assert_indexed(
            filled, lambda c, a=ack: delivered.deliver(c, [a], now=LATER), "notifier_deliveries_pkey"
        )


def test_the_acks_of_many_sockets_are_one_statement_that_looks_up_each_entry(filled: Database) -> None:
    acks = [Ack(f"user-{n}", "phone", Acked(1, 0, EACH - 3, EACH)) for n in range(1, 501)]
    assert len(plans(filled, lambda c: delivered.deliver(c, acks, now=LATER))) == 1
    assert_indexed(filled, lambda c: delivered.deliver(c, acks, now=LATER), "notifier_deliveries_pkey")


def test_entries_to_change_are_looked_up(filled: Database) -> None:
    with filled.read() as connection:
        ids = [item.id for item in pages.page(connection, BUSY, Status.ALL, 20, None)[0]]
    assert_indexed(
        filled,
        lambda c: inbox.change(c, BUSY, READ, ids, now=LATER),
        "notifier_deliveries_notification_id_user_id_key",
    )


def test_a_watermark_looks_at_what_is_left_unread_alone(filled: Database) -> None:
    assert_indexed(
        filled,
        lambda c: inbox.read_through(c, BUSY, LONG - 10, now=LATER),
        "notifier_deliveries_unread_idx",
        "notifier_deliveries_kept_unread_idx",
    )


def test_a_notifications_status_is_counted_along_its_recipients(filled: Database) -> None:
    with filled.read() as connection:
        (item, *_) = pages.page(connection, "user-7", Status.ALL, 1, None)[0]
    assert_indexed(
        filled,
        lambda c: status.status(c, item.id),
        "notifier_notifications_id_key",
        "notifier_deliveries_notification_id_user_id_key",
        besides="notifier_reach",  # it is empty here, and a notification's few rows are grouped
    )


def test_what_waits_and_what_is_dead_is_counted_by_itself(filled: Database) -> None:
    assert_indexed(
        filled, status.backlog, "notifier_notifications_waiting_idx", "notifier_notifications_dead_idx"
    )
    assert_indexed(filled, status.dead, "notifier_notifications_dead_idx")


def test_a_report_of_some_days_reads_those_days_alone(filled: Database) -> None:
    """PostgreSQL may read a small table completely; SQLite uses the index of acceptance."""
    day = START.date()
    (plan,) = plans(filled, lambda c: reports.daily(c, day, day))
    if filled.engine.dialect.name == "sqlite":
        assert not plan.scans & SCANNED
        assert {
            "notifier_notifications_accepted_at_idx",
            "sqlite_autoindex_notifier_deliveries_2",
        } <= plan.indexes


def test_a_page_of_the_notifications_report_is_read_from_its_end(filled: Database) -> None:
    if filled.engine.dialect.name == "postgresql":
        pytest.skip("it knows that all of these were accepted in one moment")
    after = LATER, "ffffffff-ffff-ffff-ffff-ffffffffffff"
    for work in (
        lambda c: reports.notifications(c, limit=100),
        lambda c: reports.notifications(c, START.date(), limit=100, after=after),
    ):
        (plan,) = plans(filled, work)
        assert not plan.scans & SCANNED
        assert "notifier_notifications_accepted_at_idx" in plan.indexes


def test_what_one_user_or_notification_got_is_looked_up(filled: Database) -> None:
    with filled.read() as connection:
        (item, *_) = pages.page(connection, "user-7", Status.ALL, 1, None)[0]
    for where in ("user_id = 'user-7'", f"notification_id = '{item.id}'"):
        (plan,) = plans(
            filled,
            lambda c, w=where: c.exec_driver_sql(f"SELECT * FROM notifier_report_deliveries WHERE {w}"),
        )
        assert not plan.scans & SCANNED, plan


def test_a_purge_looks_at_the_beginning_of_logs_alone(filled: Database) -> None:
    users = [f"user-{number}" for number in range(1, 20)]
    found = plans(filled, lambda c: purge.purge(c, users, before=LATER, limit=100, now=LATER))
    assert not {scan for plan in found for scan in plan.scans & SCANNED}


def test_a_purge_in_the_middle_of_a_long_log_reads_its_part_alone(filled: Database) -> None:
    # As far as the statistics know, what was deleted before is still there.
    span = LONG // 2, LONG // 2 + 200
    for work in (purge.gone_of, purge.delete):
        found = plans(filled, lambda c, work=work: work(c, {BUSY: span}))
        assert not {scan for plan in found for scan in plan.scans & SCANNED}, found


def test_a_timeline_looks_up_the_sockets_of_its_user(filled: Database) -> None:
    with filled.read() as connection:
        (item, *_) = pages.page(connection, "user-7", Status.ALL, 1, None)[0]
    found = plans(filled, lambda c: timeline.timeline(c, item.id, BUSY, now=LATER))
    assert not {scan for plan in found for scan in plan.scans & SCANNED}
    around = plans(filled, lambda c: sockets.around(c, "user-7", START, LATER, limit=50))
    assert "notifier_sockets_user_id_opened_at_idx" in around[0].indexes


def test_what_is_open_now_is_found_among_what_is_not_closed(filled: Database) -> None:
    found = plans(filled, lambda c: sockets.present(c, now=LATER))
    assert not {scan for plan in found for scan in plan.scans & SCANNED}
    assert "notifier_sockets_open_idx" in {index for plan in found for index in plan.indexes}


def test_marks_and_ends_are_looked_up(filled: Database) -> None:
    with filled.read() as connection:
        ids = [item.id for item in pages.page(connection, BUSY, Status.ALL, 200, None)[0]]
    assert_indexed(
        filled, lambda c: dispatch.published(c, dict.fromkeys(ids, LATER)), "notifier_notifications_id_key"
    )
    ended = [Ended(f"socket-{number}", LATER, 1001, 1) for number in range(1, 201)]
    assert_indexed(filled, lambda c: sockets.write(c, [], ended), "notifier_sockets_pkey")
