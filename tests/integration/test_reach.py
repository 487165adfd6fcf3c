"""Channels' rows: who is reached, when, and what becomes of it, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from models.store import reach as store
from models.tables import addresses, notifications
from notifier.channels import Gone, Refused, Result, Retry, Sent, Unknown
from notifier.outbox import clock, withdraw
from tests.harness.people import RULES, People, v
from usecases import reach as usecase
from usecases import reach_outcomes
from usecases.channel_results import InDoubt, Paused
from usecases.reach_rules import Rules


def test_a_row_is_written_for_each_address_that_reach_and_preferences_ask_for(people: People) -> None:
    people.add("a", "email", "push", "sms")
    people.add("b", "email", "email")
    people.add("off", "email", preferences={"channels": {"email": v("off")}})
    people.send("a", "b", "off", "nobody")
    found = [(row.user_id, row.channel, row.state) for row in people.rows()]
    assert sorted(found) == [
        ("a", "email", "waiting"), ("a", "push", "waiting"), ("b", "email", "waiting"), ("b", "email", "waiting"),
    ]  # fmt: skip


def test_a_plain_alert_and_a_badge_write_none(people: People) -> None:
    people.add("a", "email")
    people.send("a", category="general")
    people.world.badge("a", "messages", 1)
    people.world.dispatch()
    assert people.rows() == []


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (Sent("x"), "sent"), (Retry(), "waiting"), (Gone("g"), "gone"), (Refused("r"), "refused"),
        (Unknown("u"), "unknown"), (Paused(), "waiting"), (InDoubt("d", limit=3), "refused"),
    ],
)  # fmt: skip
def test_each_result_has_its_state(people: People, result: Result, state: str) -> None:
    people.add("a", "email")
    people.send("a")
    message = people.finish(result)
    assert message.address == "a@email.example"
    (row,) = people.rows()
    assert row.state == state
    assert row.attempts == (0 if isinstance(result, Paused) else 1)
    assert (row.sent_at is not None) == (state == "sent")
    assert row.deadline is None


def test_what_is_sending_is_committed_with_a_deadline_before_anybody_hears_of_it(people: People) -> None:
    people.add("a", "email")
    people.send("a")
    (claimed,) = people.claim()
    (row,) = people.rows()
    with people.world.database.read() as connection:
        present = clock.present(connection)
    assert row.state == "sending"
    assert timedelta(seconds=50) < row.deadline - present <= timedelta(seconds=60)
    assert people.claim() == []
    people.keep(claimed, Sent())
    assert people.claim() == []


def test_beyond_its_deadline_it_is_unknown_and_a_late_result_still_decides(people: People) -> None:
    people.add("a", "email")
    people.send("a")
    (claimed,) = people.claim()
    people.move_due(61)
    assert reach_outcomes.lose_overdue(people.world.database, rules=RULES, jitter=lambda: 1.0) == 1
    assert people.states() == ["unknown"]
    assert people.claim() == []
    people.keep(claimed, Sent("late"))
    (row,) = people.rows()
    assert (row.state, row.provider_id) == ("sent", "late")


def test_unknown_is_tried_again_where_the_setting_says_so(people: People) -> None:
    rules = Rules(time(9), "UTC", 2, 1.0, 300.0, True)
    people.add("a", "email")
    people.send("a")
    first = people.finish(Unknown("?"), rules=rules)
    assert people.states() == ["waiting"]
    people.move_due(10)
    (second,) = people.claim(rules=rules)
    assert (first.attempt, second.message.attempt) == (1, 2)
    people.keep(second, Unknown("?"), rules)
    assert people.states() == ["unknown"]  # the attempts are used up


def test_a_late_result_of_an_earlier_attempt_decides_only_when_it_was_sent(people: People) -> None:
    rules = Rules(time(9), "UTC", 5, 1.0, 300.0, True)
    people.add("a", "email")
    people.send("a")
    (first,) = people.claim(rules=rules)
    people.move_due(61)
    reach_outcomes.lose_overdue(people.world.database, rules=rules, jitter=lambda: 1.0)
    people.move_due(10)
    (second,) = people.claim(rules=rules)
    people.keep(first, Refused("too late"), rules)
    assert people.states() == ["sending"]
    people.keep(first, Sent("first"), rules)
    assert people.states() == ["sent"]
    people.keep(second, Retry(), rules)
    assert people.states() == ["sent"]


def test_attempts_are_used_up_and_an_operator_can_start_again(people: People) -> None:
    people.add("a", "email")
    people.send("a")
    for _ in range(3):
        people.finish(Retry(reason="busy"))
        people.move_due(1_000)
    (row,) = people.rows()
    assert (row.state, row.attempts, row.reason) == ("failed", 3, "busy")
    with people.world.database.write() as connection:
        assert store.replay(connection, row.id, present=clock.present(connection))
    people.finish(Sent())
    assert people.states() == ["sent"]


def test_a_providers_own_time_is_heeded(people: People) -> None:
    people.add("a", "email")
    people.send("a")
    people.finish(Retry(after=7_200))
    (row,) = people.rows()
    assert row.next_at - datetime.now(UTC) > timedelta(hours=1, minutes=55)


def test_a_plain_refusal_switches_an_address_off_on_the_third_day(people: People) -> None:
    people.add("a", "email")
    doubt = InDoubt("550 no", limit=3, daily=True)
    for day in range(3):
        for _ in range(1 if day == 2 else 2):
            people.send("a")
            people.finish(doubt)
        with people.world.database.write() as connection:
            row = connection.execute(sa.select(addresses)).one()
            assert (row.off_at is not None) == (day == 2)
            connection.execute(sa.update(addresses).values(doubted_on=row.doubted_on - timedelta(days=1)))
    people.send("a")
    assert len(people.rows()) == 5  # no row for an address that is off


def test_what_is_gone_is_switched_off_and_what_waits_for_it_is_skipped(people: People) -> None:
    people.add("a", "email", "push")
    people.send("a")
    people.send("a")
    first, second = people.claim("push")
    people.keep(first, Gone("410"))
    people.keep(second, Retry())
    people.move_due(1_000)
    assert people.claim("push") == []
    assert sorted(people.states(channel="push")) == ["gone", "skipped"]
    with people.world.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).where(addresses.c.channel == "push")) == 0


@pytest.mark.parametrize("category", ["later", "orders"])
def test_who_has_read_it_is_not_bothered_where_the_category_says_so(people: People, category: str) -> None:
    people.add("a", "email")
    id = people.send("a", category=category)
    assert people.claim() == [] if category == "later" else True
    people.world.read("a", id)
    people.move_due(1_000)
    assert len(people.claim()) == (category == "orders")
    assert people.rows()[0].reason == ("read" if category == "later" else None)


def test_what_is_read_with_all_others_counts_as_read(people: People) -> None:
    people.add("a", "email")
    people.send("a", category="later")
    people.world.read_through("a", 1)
    people.move_due(1_000)
    assert people.claim() == []
    assert people.rows()[0].reason == "read"


@pytest.mark.parametrize(("state", "reason"), [("retracted", "retracted"), ("expired", "expired")])
def test_what_was_taken_back_or_has_expired_is_not_sent(people: People, state: str, reason: str) -> None:
    people.add("a", "email")
    people.send("a")
    with people.world.database.write() as connection:
        connection.execute(sa.update(notifications).values(state=state, ended_at=datetime.now(UTC)))
    assert people.claim() == []
    assert [(row.state, row.reason) for row in people.rows()] == [("skipped", reason)]


def test_taking_back_tells_what_is_with_a_provider(people: People) -> None:
    people.add("a", "email", "push")
    id = people.send("a")
    people.claim("email")
    done = people.world.database.run(lambda connection: withdraw.cancel(connection, id, sender=None))
    assert done.in_flight == 1
    assert people.claim("push") == []
    assert sorted(people.states()) == ["sending", "skipped"]


def test_a_preference_is_asked_again_when_it_is_sent(people: People) -> None:
    people.add("a", "email")
    people.add("b", "email")
    people.send("a", "b")
    people.prefer("a", {"categories": {"orders": {"email": v("off")}}})
    assert [one.message.user_id for one in people.claim()] == ["b"]
    assert people.rows(user_id="a")[0].reason == "switched off"


def test_required_reaches_everybody_at_once(people: People) -> None:
    paused = (datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1_000
    people.add("a", "email", preferences={"channels": {"email": v("off")}, "paused_until": v(paused)})
    people.send("a", category="security")
    assert people.finish(Sent()).required


def test_what_is_due_in_quiet_hours_waits_for_their_end(people: People) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    people.add("a", "email", preferences={"paused_until": v(until.timestamp() * 1_000)})
    people.send("a")
    assert people.claim() == []
    assert people.rows()[0].next_at == until
    people.prefer("a", {})
    people.move_due(3_601)
    assert len(people.claim()) == 1


def test_hosts_that_are_full_are_left_out(people: People) -> None:
    people.add("a", "email")
    people.add("b", "email")
    people.send("a", "b")
    found = usecase.claim(people.world.database, "email", 9, {"a@email"}, rules=RULES)
    assert [one.message.user_id for one in found] == ["b"]


def test_a_user_id_with_everything_in_it(people: People) -> None:
    for user in ("a/b", "%", "日本", "user:7"):
        people.add(user, "email")
        people.send(user)
    assert {one.message.user_id for one in people.claim()} == {"a/b", "%", "日本", "user:7"}
