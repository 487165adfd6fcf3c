"""A draft keeps every rule, or all broken rules are named."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from uuid_utils import UUID

from notifier.core.draft import check_id, check_key, draft
from notifier.core.errors import IdempotencyMismatch, InvalidInput, UnknownEvent
from notifier.core.events import Alert

DATA = {"title": "t", "message": "m", "type": "info"}
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def places(**given: Any) -> list[list[str | int]]:
    """Return the places where a call's input breaks a rule."""
    with pytest.raises(InvalidInput) as caught:
        draft(**given)
    return [problem["loc"] for problem in caught.value.problems]


def test_a_valid_call_becomes_a_draft() -> None:
    what = draft(user_id="u1", data=DATA)
    assert (what.audience, what.event.name, what.data) == (["u1"], "alert", DATA)


def test_the_id_is_a_uuid_of_version_7_unless_given() -> None:
    first, second = draft(user_id="u1", data=DATA).id, draft(user_id="u1", data=DATA).id
    assert UUID(first).version == UUID(second).version == 7
    assert first < second
    assert draft(user_id="u1", data=DATA, id=ID).id == ID


@pytest.mark.parametrize("given", [ID.upper(), uuid.UUID(ID)])
def test_a_given_id_is_normalised(given: object) -> None:
    assert check_id(given) == ID


@pytest.mark.parametrize(
    "given", ["", "7", 7, ID.replace("-", ""), "{" + ID + "}", ID + "\n", "urn:uuid:" + ID, []]
)
def test_anything_else_is_not_an_id(given: object) -> None:
    assert places(user_id="u1", data=DATA, id=given) == [["id"]]


def test_many_recipients_count_once_in_the_order_given() -> None:
    assert draft(user_ids=["b", "a", "b"], data=DATA).audience == ["b", "a"]
    assert draft(user_ids=(u for u in ("a", "b")), data=DATA).audience == ["a", "b"]


@pytest.mark.parametrize("given", [{}, {"user_id": "a", "user_ids": ["b"]}])
def test_exactly_one_of_user_id_and_user_ids_is_given(given: dict[str, Any]) -> None:
    assert places(**given, data=DATA) == [["user_id"]]


@pytest.mark.parametrize("user_ids", ["ab", 7, {"a": 1}, True])
def test_user_ids_is_a_list(user_ids: object) -> None:
    assert places(user_ids=user_ids, data=DATA) == [["user_ids"]]


@pytest.mark.parametrize("data", [None, "text", 7, [DATA]])
def test_data_is_an_object(data: object) -> None:
    assert places(user_id="u1", data=data) == [["data"]]


def test_data_may_be_a_model() -> None:
    assert draft(user_id="u1", data=Alert(**DATA)).data == DATA  # type: ignore[arg-type]


def test_every_problem_is_named_at_once() -> None:
    assert places(user_id="", event="alert", data={"title": ""}, id="x") == [
        ["user_id"],
        ["data", "title"],
        ["data", "message"],
        ["data", "type"],
        ["id"],
    ]
    assert places(user_ids=[], event="nope", data=DATA) == [["user_ids"], ["event"]]


@pytest.mark.parametrize("key", ["k", "x" * 255, "order 7", "日本"])
def test_a_key_is_any_printable_text(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("key", ["", "x" * 256, "a\n", "\x00"])
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_key(key)
    assert caught.value.problems[0]["loc"] == ["Idempotency-Key"]


def test_an_unknown_event_and_a_mismatch_are_invalid_input_too() -> None:
    assert issubclass(UnknownEvent, InvalidInput)
    assert issubclass(IdempotencyMismatch, InvalidInput)
    assert UnknownEvent.status == IdempotencyMismatch.status == 422
