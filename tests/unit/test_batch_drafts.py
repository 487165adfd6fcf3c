"""Drafts that are made together are those that are made alone, and so are the errors."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from notifier.core import events
from notifier.core.batch import drafts
from notifier.core.draft import Draft, draft
from notifier.core.errors import InvalidInput
from notifier.core.events import MAX_DATA, Alert, define_event, event_type

ALERT = {"title": "t", "message": "m", "type": "info"}
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
CALLS: list[dict[str, Any]] = [
    {"user_id": "u1", "data": ALERT, "id": ID},
    {"user_id": "u1", "data": {**ALERT, "action": {"label": "l", "url": "/"}, "image": None}, "id": ID},
    {"user_id": "u1", "data": {**ALERT, "actions": [{"label": "l", "url": "/"}]}, "id": ID, "key": "k"},
    {"user_ids": ["u1", "u2", "u1"], "data": ALERT, "id": ID, "collapse_key": "c", "expires_in": 60},
    {"user_id": "u1", "event": "badge", "data": {"type": "tasks", "count": 3.0}, "id": ID},
    {"user_id": "u1", "data": Alert(title="t", message="m", type="info"), "id": ID},
]
WRONG: list[dict[str, Any]] = [
    {"user_id": "u1", "data": {**ALERT, "type": "loud"}},
    {"user_id": "u1", "data": {**ALERT, "title": "a\x00b"}},
    {"user_id": "u1", "data": {**ALERT, "title": "\ud800"}},
    {"user_id": "u1", "data": {**ALERT, "more": 1}},
    {"user_id": "u1", "data": dict.fromkeys(map(str, range(257)), 1)},
    {"user_id": "u\n1", "data": ALERT},
    {"user_id": "u1", "data": None},
    {"user_id": "u1", "data": [ALERT]},
    {"user_id": "u1"},
    {"user_id": "u1", "event": "nothing", "data": ALERT},
    {"user_id": "u1", "event": None, "data": ALERT},
    {"user_id": "u1", "event": [], "data": ALERT},
    {"user_id": "u1", "event": "badge", "data": {"type": "tasks", "count": 2**70}},
    {"user_id": "u1", "data": ALERT, "key": "", "deliver_at": "tomorrow"},
]


class Reading(BaseModel):
    """Numbers and texts of any kind."""

    model_config = ConfigDict(extra="forbid")

    value: float | int | None = None
    text: str = ""


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(events, "_events", dict(events._events))
    return define_event("reading", Reading).name


def alone(given: dict[str, Any]) -> Draft | list[Any]:
    try:
        return draft(**given, sender="shop")
    except InvalidInput as exc:
        return exc.problems


def together(given: list[dict[str, Any]]) -> list[Draft | list[Any]]:
    made = drafts(given, sender="shop")
    return [one.problems if isinstance(one, InvalidInput) else one for one in made]


@pytest.mark.parametrize("given", [CALLS, WRONG, [*CALLS, *WRONG], [*WRONG[:1], *CALLS], [CALLS[0]] * 3])
def test_together_is_as_alone(given: list[dict[str, Any]]) -> None:
    assert together(given) == [alone(one) for one in given]


def test_of_the_calls_above_all_and_none_are_accepted() -> None:
    assert all(isinstance(one, Draft) for one in together(CALLS))
    assert not any(isinstance(one, Draft) for one in together(WRONG))


@pytest.mark.parametrize(
    ("data", "accepted"),
    [
        ({"value": float("nan")}, False),
        ({"value": float("inf")}, False),
        ({"value": 2**63}, False),
        ({"value": -(2**63) - 1}, False),
        ({"value": 2**63 - 1}, True),
        ({"value": 1e18}, True),
        ({"value": None}, True),
        ({"text": "NaN 12345678901234567890 Infinity"}, True),
        ({"text": "x" * MAX_DATA}, False),
        ({"text": "x" * (MAX_DATA // 2)}, True),
    ],
)
def test_numbers_and_sizes_at_their_limits_are_judged_alike(
    reading: str, data: dict[str, Any], accepted: bool
) -> None:
    given = [{"user_id": "u1", "event": reading, "data": one, "id": ID} for one in ({}, data, data)]
    made = together(given)
    assert made == [alone(one) for one in given]
    assert isinstance(made[1], Draft) is accepted


def test_data_that_keeps_the_rules_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def checked_again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(events.EventType, "validate", checked_again)
    assert len(drafts([CALLS[0]] * 3, sender="shop")) == 3
    assert event_type("alert").validate_all([ALERT, {**ALERT, "type": "loud"}]) is None
