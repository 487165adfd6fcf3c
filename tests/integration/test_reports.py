"""Every reporting view equals a plain count over the raw rows, after random histories, on both databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from bench.million import Shop, fill
from models.store import devices, reports
from models.store.delivered import Ack
from models.store.devices import Joined
from notifier.core.effects import Acked
from notifier.core.log import ARCHIVED, READ, UNREAD
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from tests.harness.raw_counts import Copy, Raw, daily, differences, view
from tests.harness.world import World, alert, empty
from usecases.rollup import roll_up_days

USERS = ("u1", "u2", "a/b")
users = st.sampled_from(USERS)


class Machine(RuleBasedStateMachine):
    """A shop's months as a few rules; `database` is set by the test."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        empty(self.database)
        # Long ago, because a row younger than an hour is in no rollup and changes without a mark.
        self.begin = (now() - timedelta(days=27)).replace(hour=3, minute=4, second=5, microsecond=0)
        self.world = World(self.database, self.begin)
        self.gone: list[Copy] = []  # purged, as they were

    @rule(seconds=st.sampled_from([0.000499, 0.0005, 0.001, 59.9996, 40_000.123456, 86_400.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.tick(seconds)

    @initialize(kinds=st.lists(st.sampled_from(["info", "error", "badge"]), min_size=3, max_size=9))
    def begin_with_a_history(self, kinds: list[str]) -> None:
        for place, kind in enumerate(kinds):
            to = USERS[place % 3 :]
            if kind == "badge":
                self.badge(to[0], "tasks", later=False)
            else:
                self.send(set(to), kind, later=False)
            self.world.tick(30_000.25)

    @rule(to=st.sets(users, min_size=1), kind=st.sampled_from(["info", "error"]), later=st.booleans())
    def send(self, to: set[str], kind: str, later: bool) -> None:
        self.world.accept(*sorted(to), data=alert(type=kind))
        if not later:
            self.world.dispatch()

    @rule(user=users, kind=st.sampled_from(["tasks", "messages"]), later=st.booleans())
    def badge(self, user: str, kind: str, later: bool) -> None:
        self.world.badge(user, kind, 3)
        if not later:
            self.world.dispatch()

    @rule(others=st.integers(100, 102))
    def send_to_many(self, others: int) -> None:
        self.world.send(*USERS, *(f"other {number}" for number in range(others)))

    @rule()
    def dispatch(self) -> None:
        self.world.dispatch()

    @rule(size=st.integers(1, 60))
    def chunk(self, size: int) -> None:
        waiting = [n for n in self.raw().notifications.values() if n.bulk and n.state == "accepted"]
        if waiting:
            self.world.chunk(min(waiting, key=lambda row: row.number).id, size)

    @rule(user=users, device=st.sampled_from(["phone", "tablet"]), back=st.integers(0, 3))
    def device_acks(self, user: str, device: str, back: int) -> None:
        head = self.raw().inboxes.get(user)
        if head is None:
            return
        now, through = self.world.tick(0.25), max(0, head.seq - back)
        self.world.database.run(
            lambda c: devices.joined(c, [Joined(user, device, "s", None, 1, 0, None)], now=now)
        )
        ack = Ack(user, device, Acked(1, 0, 0, through))
        self.world.database.run(lambda c: devices.flush(c, [ack], [], now=now))

    @rule(user=users, op=st.sampled_from([READ, UNREAD, ARCHIVED]), mask=st.integers(1, 255))
    def change(self, user: str, op: str, mask: int) -> None:
        mine = [copy for (owner, _), copy in self.raw().copies.items() if owner == user]
        ids = [copy.row.notification_id for place, copy in enumerate(mine) if mask >> place % 8 & 1]
        {READ: self.world.read, UNREAD: self.world.unread, ARCHIVED: self.world.archive}[op](user, *ids)

    @rule(user=users, back=st.integers(0, 4))
    def read_through(self, user: str, back: int) -> None:
        head = self.raw().inboxes.get(user)
        if head is not None:
            self.world.read_through(user, max(0, head.seq - back))

    @rule(share=st.floats(0.1, 0.9), rows=st.integers(1, 20))
    def purge(self, share: float, rows: int) -> None:
        before = self.raw().copies
        self.world.purge(self.begin + (self.world.now - self.begin) * share, rows)
        after = self.raw().copies
        self.gone += [copy for key, copy in before.items() if key not in after]
        self.check()

    @rule()
    def days_are_closed(self) -> None:
        roll_up_days(self.database, rest=lambda _: None)
        self.check()

    def teardown(self) -> None:
        self.check()
        self.days_are_closed()

    def check(self) -> None:
        with self.database.read() as connection:
            assert list(differences(connection, self.gone)) == []
        assert self.world.violations() == []

    def raw(self) -> Raw:
        with self.database.read() as connection:
            return Raw(connection)


def test_every_view_equals_a_count_over_the_raw_rows(database: Database) -> None:
    short = 10 if database.engine.dialect.name == "sqlite" else 4
    examples = short * int(os.environ.get("NOTIFIER_EXAMPLES", "1"))
    machine = type("Machine", (Machine,), {"database": database})
    machine.TestCase.settings = settings(  # type: ignore[attr-defined]
        max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=machine.TestCase.settings)  # type: ignore[attr-defined]


def test_a_generated_shop_is_accounted_for_and_reported(database: Database) -> None:
    """What `bench.million` makes, smaller: broadcasts, late acks, reads and marks of two months.

    With NOTIFIER_DELIVERIES=1000000 at full size, which takes minutes and several gigabytes of memory.
    """
    size = int(os.environ.get("NOTIFIER_DELIVERIES", "4000"))
    fill(database, Shop(size, days=60, users=max(1_200, size // 50), seed=5))
    assert World(database).violations() == []
    with database.read() as connection:
        assert list(differences(connection)) == []
    roll_up_days(database, rest=lambda _: None)
    with database.read() as connection:
        assert list(differences(connection)) == []


def test_an_empty_database_has_empty_reports(database: Database) -> None:
    with database.read() as connection:
        for name in (
            "notifier_report_deliveries",
            "notifier_report_daily",
            "notifier_report_notifications",
            "notifier_report_devices",
        ):
            assert view(connection, name) == set()


@pytest.fixture
def across_midnight(world: World) -> Iterator[World]:
    """One alert accepted a microsecond before midnight, one at midnight."""
    for moment in (datetime(2026, 3, 1, 23, 59, 59, 999_999, UTC), datetime(2026, 3, 2, tzinfo=UTC)):
        world.now = moment - timedelta(seconds=1)
        world.send("u1")
    world.dispatch()
    return world


def test_days_begin_at_midnight_utc(across_midnight: World) -> None:
    with across_midnight.database.read() as connection:
        days = [row[0] for row in daily(connection)]
    assert days == [date(2026, 3, 1), date(2026, 3, 2)]


def test_since_and_until_are_inclusive(across_midnight: World) -> None:
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    for since, until, expected in (
        (first, first, [first]), (second, None, [second]), (None, first, [first]),
        (first, second, [first, second]), (second, first, []),
    ):  # fmt: skip
        with across_midnight.database.read() as connection:
            assert [row[0] for row in daily(connection, since, until)] == expected
            rows = reports.notifications(connection, since, until).rows
        assert sorted(row.accepted_at.date() for row in rows) == expected


def test_a_long_report_is_read_page_by_page(world: World) -> None:
    ids = [world.send("u1") for _ in range(7)]
    world.dispatch()
    for name in "abcde":
        now = world.tick()
        world.database.run(
            lambda c, name=name, now=now: devices.joined(
                c, [Joined(f"u{ord(name) % 2}", name, "s", None, 1, 0, None)], now=now
            )
        )
    with world.database.read() as connection:
        pages = reports.every(lambda after: reports.notifications(connection, limit=2, after=after))
        assert [row.notification_id for row in pages] == ids[::-1]
        found = reports.every(lambda after: reports.devices(connection, limit=2, after=after))
        assert [row.device for row in found] == ["b", "d", "a", "c", "e"]


def test_every_column_has_a_comment_on_postgresql(postgres_database: Database) -> None:
    with postgres_database.read() as connection:
        silent = connection.execute(
            sa.text(
                "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
                " WHERE c.relkind = 'v' AND c.relname LIKE 'notifier_report%' AND a.attnum > 0"
                " AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"
            )
        ).all()
    assert silent == []
