"""The optional fields of a send: what is taken, and what is refused with which words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import BaseModel

from notifier.core import categories, events
from notifier.core.categories import define_category
from notifier.core.draft import draft
from notifier.core.errors import InvalidInput
from notifier.core.events import define_event
from notifier.core.life import PLAIN
from notifier.testing import capture

ALERT = {"title": "t", "message": "m", "type": "info"}
NINE = "2026-11-28T09:00:00+01:00"


class Invoice(BaseModel):
    """An event of its own."""

    amount: int


@pytest.fixture(autouse=True)
def definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(categories, "_categories", dict(categories._categories))
    monkeypatch.setattr(events, "_events", dict(events._events))
    define_category("orders")
    define_event("invoice", Invoice, category="orders")


def problems(**given: Any) -> list[tuple[str, str]]:
    given = {"user_id": "u", "data": ALERT} | given
    with pytest.raises(InvalidInput) as raised:
        draft(**given)
    return [(".".join(map(str, one["loc"])), one["msg"]) for one in raised.value.problems]


def test_a_plain_alert_has_no_life_and_the_hash_of_before() -> None:
    plain = draft(user_id="u", data=ALERT)
    assert plain.life is PLAIN
    assert draft(user_id="u", data=ALERT, category=None, deliver_at=None).body_hash() == plain.body_hash()
    assert draft(user_id="u", data=ALERT, category="general").body_hash() != plain.body_hash()


def test_the_category_is_the_given_one_or_the_events_or_general() -> None:
    assert draft(user_id="u", data=ALERT).life.category is None
    assert draft(user_id="u", data=ALERT, category="orders").life.category == "orders"
    assert draft(user_id="u", event="invoice", data={"amount": 1}).life.category == "orders"
    assert draft(user_id="u", event="invoice", data={"amount": 1}, category="general").life.category is None
    assert problems(category="unknown") == [("category", "no category 'unknown' is defined")]
    assert problems(category=7) == [("category", "no category 7 is defined")]


@pytest.mark.parametrize("time", [NINE, "2026-11-28t08:00:00z", "2026-11-28 08:00:00.000Z"])
def test_a_time_is_rfc_3339_with_an_offset(time: str) -> None:
    assert draft(user_id="u", data=ALERT, deliver_at=time).life.deliver_at == datetime(
        2026, 11, 28, 8, tzinfo=UTC
    )


def test_equal_times_are_equal_bodies() -> None:
    aware = datetime(2026, 11, 28, 9, tzinfo=timezone(timedelta(hours=1)))
    hashes = {
        draft(user_id="u", data=ALERT, deliver_at=at).body_hash()
        for at in (NINE, "2026-11-28T08:00:00Z", aware)
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-28T09:00:00", "2026-11-28", "tomorrow", "", 1_764_000_000_000, True, "2026-02-30T00:00:00Z",
        "2026-11-28T25:00:00Z", "20261128T090000Z", "2026-W48-6T09:00:00Z", "٢٠٢٦-11-28T09:00:00Z",
        "0001-01-01T00:00:00+23:59", datetime(2026, 1, 1),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_other_times_are_refused(time: object) -> None:
    for name in ("deliver_at", "expires_at"):
        assert problems(**{name: time}) == [
            (name, "must be a time with an offset, like 2026-11-27T09:00:00+01:00")
        ]


def test_it_is_at_most_400_days_ahead() -> None:
    late = datetime.now(UTC) + timedelta(days=400, minutes=1)
    assert problems(deliver_at=late) == [("deliver_at", "must be at most 400 days ahead")]
    assert draft(user_id="u", data=ALERT, deliver_at=late - timedelta(minutes=2))


def test_it_ends_after_it_begins() -> None:
    assert problems(deliver_at=NINE, expires_at=NINE) == [("expires_at", "must be after deliver_at")]
    assert problems(expires_at=NINE, expires_in=3) == [
        ("expires_in", "give one of expires_at and expires_in")
    ]
    for seconds in (0, -1, True, "60", float("nan"), float("inf"), 10**10, [1]):
        assert problems(expires_in=seconds)[0][0] == "expires_in"


def test_it_ends_some_seconds_after_it_is_due_or_accepted() -> None:
    now = datetime(2026, 11, 28, 7, tzinfo=UTC)
    assert draft(user_id="u", data=ALERT, expires_in=60).life.expiry(now) == now + timedelta(seconds=60)
    later = draft(user_id="u", data=ALERT, expires_in=60, deliver_at=NINE).life
    assert later.expiry(now) == datetime(2026, 11, 28, 8, 1, tzinfo=UTC)


def test_a_collapse_key_has_1_to_128_characters() -> None:
    assert draft(user_id="u", data=ALERT, collapse_key="k" * 128).life.collapse_key == "k" * 128
    for key in ("", "k" * 129, "a\x00b", 7):
        assert problems(collapse_key=key)[0][0] == "collapse_key"


def test_what_never_enters_an_inbox_neither_ends_nor_collapses() -> None:
    badge = {"event": "badge", "data": {"type": "tasks", "count": 1}}
    for life in ({"expires_in": 5}, {"expires_at": NINE}, {"collapse_key": "k"}):
        assert problems(**badge, **life) == [(*life, "badge is not an inbox entry")]
    assert draft(user_id="u", **badge, deliver_at=NINE).life.deliver_at


def test_every_broken_rule_is_told_at_once() -> None:
    told = problems(user_id="", data={}, category="x", deliver_at="x", expires_in=0, collapse_key="")
    assert {place.split(".")[0] for place, _ in told} == {
        "user_id", "data", "category", "deliver_at", "expires_in", "collapse_key",
    }  # fmt: skip


def test_what_is_scheduled_is_captured_and_delivered_when_the_clock_moves() -> None:
    from notifier import send_notification

    due = datetime.now(UTC) + timedelta(days=3)
    with capture() as notifications:
        first = send_notification(
            "u", ALERT, deliver_at=due, collapse_key="k", category="orders", expires_in=60
        )
        send_notification("u", ALERT, deliver_at=datetime(2020, 1, 1, tzinfo=UTC))
        assert [sent.deliver_at for sent in notifications] == [None]
        assert notifications.deliver(at=due - timedelta(seconds=1)) == []
        (sent,) = notifications.deliver(at=due)
        assert (sent.id, sent.category, sent.collapse_key) == (first, "orders", "k")
        assert sent.expires_at == due + timedelta(seconds=60)
        assert len(notifications) == 2
