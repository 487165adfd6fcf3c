"""What waits is decided again after a change, and what has left the inbox is not sent, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.channels import Retry
from notifier.core.log import Why
from tests.harness.people import People, v
from usecases import preferences


class Nowhere:
    """A publisher of nothing."""

    def publish(self, messages: object) -> None:
        """Forget them."""


def change(people: People, **asked: Any) -> None:
    preferences.change(people.world.database, Nowhere(), "a", asked)


def pause(hours: float) -> int:
    return int((datetime.now(UTC) + timedelta(hours=hours)).timestamp() * 1_000)


@pytest.mark.parametrize(
    "ends",
    [
        {"paused_until": None},
        {"quiet_hours": None},
        {"timezone": "UTC", "quiet_hours": None, "paused_until": None},
    ],
)
def test_what_waits_for_an_end_that_comes_earlier_goes_out_then(people: People, ends: dict[str, Any]) -> None:
    present = datetime.now(UTC)
    hours = {"from": f"{present - timedelta(hours=1):%H:%M}", "to": f"{present + timedelta(hours=3):%H:%M}",
             "timezone": "UTC"}  # fmt: skip
    people.add("a", "email")
    asked = {"paused_until": pause(2)} if "quiet_hours" not in ends else {"quiet_hours": hours}
    change(people, **asked)
    people.send("a")
    assert people.claim() == []
    (row,) = people.rows()
    assert row.next_at > datetime.now(UTC) + timedelta(hours=1)
    assert row.reason == "quiet hours"
    change(people, **ends)
    assert len(people.claim()) == 1


def test_a_pause_that_is_made_shorter_or_longer_is_heeded(people: People) -> None:
    people.add("a", "email")
    for hours in (3, 1, 5):
        change(people, paused_until=pause(hours))
        if hours == 3:
            people.send("a")
        assert people.claim() == []
        (row,) = people.rows()
        assert abs(row.next_at - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=3)


def test_a_second_attempt_that_waits_for_an_end_goes_out_when_it_comes_earlier(people: People) -> None:
    people.add("a", "email")
    people.send("a")
    people.finish(Retry(reason="busy"))
    change(people, paused_until=pause(2))
    people.move_due(10)
    assert people.claim() == []  # its time has come, and it is quiet
    change(people, paused_until=None)
    (claimed,) = people.claim()
    assert claimed.message.attempt == 2


def test_a_change_lets_nothing_be_tried_earlier_than_the_provider_said(people: People) -> None:
    people.add("a", "email")
    people.send("a")
    people.finish(Retry(after=7_200))
    change(people, paused_until=pause(1))
    change(people, paused_until=None)
    assert people.claim() == []


def test_a_digest_that_waits_for_an_end_goes_out_whole_when_it_comes_earlier(people: People) -> None:
    people.add("a", "email", preferences={"channels": {"email": v("daily")}})
    for _ in range(3):
        people.send("a")
    people.claim()
    people.move_due(86_400)
    change(people, paused_until=pause(2))
    assert people.claim() == []
    change(people, paused_until=None)
    (claimed,) = people.claim()
    assert claimed.message.total == 3


def test_what_a_newer_one_has_replaced_is_not_sent_and_the_newer_one_is(people: People) -> None:
    people.add("a", "email", "push")
    people.send("a", title="6 of 7", collapse_key="build")
    newest = people.send("a", title="7 of 7", collapse_key="build")
    for channel in ("email", "push"):
        (claimed,) = people.claim(channel)
        assert claimed.message.entry.id == newest
        assert [(row.state, row.reason) for row in people.rows(channel=channel)] == [
            ("skipped", "collapsed"), ("sending", None),
        ]  # fmt: skip


def test_a_digest_has_only_the_newest_of_a_collapse_key(people: People) -> None:
    people.add("a", "email", preferences={"channels": {"email": v("daily")}})
    for number in range(3):
        people.send("a", title=f"{number} of 3", collapse_key="build")
    people.claim()
    people.move_due(86_400)
    (claimed,) = people.claim()
    assert claimed.message.total == 1
    assert claimed.message.entry.data["title"] == "2 of 3"


@pytest.mark.parametrize("category", ["later", "watch", "orders"])
def test_who_has_snoozed_it_has_looked_at_it(people: People, category: str) -> None:
    people.add("a", "email")
    id = people.send("a", category=category)
    people.world.snooze("a", id)
    people.move_due(1_000)
    assert len(people.claim()) == (category == "orders")  # which asks nothing
    assert people.rows()[0].reason == (None if category == "orders" else Why.SNOOZED)


def test_what_has_come_back_by_then_is_unread_again(people: People) -> None:
    people.add("a", "email")
    id = people.send("a", category="later")
    people.world.snooze("a", id)
    people.world.unsnooze("a", id)
    people.move_due(1_000)
    assert len(people.claim()) == 1
