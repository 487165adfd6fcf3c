"""Digests: each entry in exactly one, at its time in the recipient's zone, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from models.store import reach_claim as store
from models.store.reach_claim import Later
from models.tables import reach, recipients
from notifier.channels import Retry, Sent
from notifier.outbox import clock
from notifier.outbox.reach import reconsider
from notifier.outbox.types import AnyRow
from tests.harness.people import RULES, People, v
from usecases.reach import Claimed
from usecases.reach_rules import decide

DAILY = {"channels": {"email": {"value": "daily", "at": 0}}}


def test_a_digest_has_each_entry_once_and_a_straggler_goes_with_the_next(people: People) -> None:
    people.add("a", "email", preferences=DAILY)
    for number in range(12):
        people.send("a", category="orders" if number % 2 else "later", title=f"n{number}")
    read = people.send("a", title="read")
    people.move_due(700)
    assert people.claim() == []  # now they wait together
    due = {row.due_at for row in people.rows()}
    assert len(due) == 1
    assert {row.digest for row in people.rows()} == {"daily"}
    people.world.read("a", read)
    people.move_due(86_400)
    (claimed,) = people.claim()
    assert claimed.message.digest == "daily"
    assert claimed.message.total == 12
    assert [entry.data["title"] for entry in claimed.message.entries] == [f"n{n}" for n in range(11, 1, -1)]
    assert claimed.message.categories == ("later", "orders")
    # A straggler with the same due time, while the digest is under way.
    people.send("a", title="late")
    moment = people.rows()[0].due_at
    with people.world.database.write() as connection:
        connection.execute(
            sa.update(reach)
            .where(reach.c.state == "waiting")
            .values(digest="daily", due_at=moment, next_at=moment)
        )
    assert people.claim() == []
    (late,) = people.rows(state="waiting")
    assert late.due_at > datetime.now(UTC)
    people.keep(claimed, Sent("m"))
    assert people.states().count("sent") == 12


def test_a_straggler_that_comes_between_the_count_and_the_lock_goes_with_the_next_digest(
    people: People,
) -> None:
    """Another worker sends the digest after this one has found it; then the straggler commits."""
    engine = people.world.database.engine
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    people.add("a", "email", preferences=DAILY)
    people.send("a", title="first")
    people.send("a", title="straggler")
    people.move_due(700)
    assert people.claim() == []  # both wait for the morning now
    people.move_due(86_400)
    first, straggler = people.rows()
    others_mails: list[Claimed] = []

    def move_straggler(to: datetime) -> None:
        with people.world.database.write() as other:
            other.execute(sa.update(reach).where(reach.c.id == straggler.id).values(due_at=to, next_at=to))

    move_straggler(first.due_at + timedelta(days=2))
    steps: list[tuple[object, Callable[[], None]]] = [
        (store._DUE_DIGESTS, lambda: others_mails.extend(people.claim())),
        (store._COUNT_DIGEST, lambda: move_straggler(first.due_at)),
    ]

    def interfere(connection: Any, cursor: Any, text: str, given: Any, context: Any, many: bool) -> None:
        if steps and context.compiled is not None and context.compiled.statement is steps[0][0]:
            step = steps[0][1]
            rest = steps[1:]
            steps.clear()  # the step's own statements are left alone
            step()
            steps.extend(rest)

    sa.event.listen(engine, "after_cursor_execute", interfere)
    try:
        mails = people.claim()
    finally:
        sa.event.remove(engine, "after_cursor_execute", interfere)
    assert [mail.message.entries[0].data["title"] for mail in others_mails] == ["first"]
    assert mails == []
    (_, straggler) = people.rows()
    assert straggler.state == "waiting"
    assert straggler.due_at > datetime.now(UTC)


def test_a_digest_that_is_tried_again_stays_together_without_stragglers(people: People) -> None:
    people.add("a", "email", preferences=DAILY)
    for _ in range(3):
        people.send("a")
    people.claim()
    people.move_due(86_400)
    (first,) = people.claim()
    people.keep(first, Retry(reason="busy"))
    assert len({row.next_at for row in people.rows()}) == 1
    assert people.claim() == []
    people.move_due(10)
    (second,) = people.claim()
    assert second.rows.keys() == first.rows.keys()
    assert second.message.attempt == 2


def test_a_change_lets_what_waits_be_decided_again(people: People) -> None:
    people.add("a", "email", preferences=DAILY)
    people.send("a")
    people.send("a", category="later")
    people.move_due(5)
    people.claim()
    before = {row.category: row.due_at for row in people.rows()}

    def change(**values: Any) -> None:
        with people.world.database.write() as connection:
            connection.execute(sa.update(recipients).values(**values))
            reconsider(connection, "a")
        assert people.claim() == []

    change(timezone="Asia/Kathmandu")
    moved = {row.category: row.due_at for row in people.rows()}
    assert moved["orders"] != before["orders"]
    assert moved["later"] == before["later"]  # it is not due yet
    change(preferences={"channels": {"email": v("weekly")}})
    assert people.rows()[0].digest == "weekly"
    change(preferences=None)
    assert len(people.claim()) == 1


def test_a_digest_of_which_nothing_is_left_is_not_sent(people: People) -> None:
    people.add("a", "email", preferences=DAILY)
    id = people.send("a")
    people.claim()
    people.world.read("a", id)
    people.move_due(86_400)
    assert people.claim() == []
    assert [(row.state, row.reason) for row in people.rows()] == [("skipped", "read")]


def test_who_wants_mail_at_once_again_gets_what_waits(people: People) -> None:
    people.add("a", "email", preferences=DAILY)
    people.send("a")
    people.claim()
    people.prefer("a", {})
    people.move_due(86_400)
    assert people.claim() == []
    (claimed,) = people.claim()
    assert claimed.message.digest is None


@pytest.mark.timeout(300)
def test_a_thousand_that_race_the_close_are_in_one_digest_each(people: People) -> None:
    """Given a digest that is due already; when entries for it keep coming; then no two mails have the same one."""
    people.add("a", "email", preferences=DAILY)
    people.world.fill("a", 1_000)
    with people.world.database.read() as connection:
        address = connection.scalar(sa.text("SELECT id FROM notifier_addresses"))
        due = clock.present(connection) - timedelta(days=1)
        ids = list(connection.scalars(sa.text("SELECT notification_id FROM notifier_deliveries")))
    due = due.replace(hour=6, minute=0, second=0, microsecond=0)  # before 09:00 in Berlin
    mails: list[Claimed] = []
    written = threading.Event()

    def write() -> None:
        for start in range(0, 1_000, 25):
            rows = [
                {"notification_id": id, "user_id": "a", "channel": "email", "address_id": address,
                 "category": "orders", "state": "waiting", "required": False, "due_at": due, "next_at": due}
                for id in ids[start : start + 25]
            ]  # fmt: skip
            with people.world.database.write() as connection:
                connection.execute(sa.insert(reach), rows)
        written.set()

    def work() -> None:
        idle = 0
        while idle < 5:
            found = people.claim()
            for claimed in found:
                people.keep(claimed, Sent())
            mails.extend(found)
            if written.is_set():
                idle = 0 if found else idle + 1

    threads = [threading.Thread(target=work) for _ in range(3)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert mails
    people.move_due(86_400 * 2)
    mails += people.claim()
    rows = [row for mail in mails for row in mail.rows]
    assert len(rows) == len(set(rows)) == 1_000
    assert sum(mail.message.total for mail in mails) == 1_000
    assert people.states().count("waiting") == 0
    assert len(mails) == 2, [mail.message.total for mail in mails]


@pytest.mark.parametrize(
    ("present", "first", "second"),
    [
        # Berlin, spring: 02:30 does not exist on the 29th of March 2026, 03:00 is the first moment after it.
        ("2026-03-28T12:00", "2026-03-29T01:00", "2026-03-30T00:30"),
        # Autumn: 02:30 comes twice on the 25th of October 2026; the first one is meant, once.
        ("2026-10-24T12:00", "2026-10-25T00:30", "2026-10-26T01:30"),
    ],
)
def test_in_the_nights_of_the_clock_change_a_digest_goes_out_once(
    people: People, present: str, first: str, second: str
) -> None:
    def utc(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    people.add("a", "email", preferences=DAILY)
    people.send("a")
    rules = replace(RULES, digest_at=time(2, 30))
    row = a_row(people, due_at=utc(present), next_at=utc(present))
    later = decide(row, present=utc(present), rules=rules)
    assert isinstance(later, Later)
    assert (later.due_at, later.digest) == (utc(first), "daily")
    straggler = decide(a_row(people, due_at=utc(first)), present=utc(first), rules=rules)
    assert isinstance(straggler, Later)
    assert straggler.due_at == utc(second)


def a_row(people: People, **values: Any) -> AnyRow:
    """What a claim knows of the only row."""
    with people.world.database.write() as connection:
        connection.execute(sa.update(reach).values(digest=None, **{"next_at": values["due_at"]} | values))
        (row,) = store.due(connection, "email", present=values["due_at"], limit=9)
    return row
