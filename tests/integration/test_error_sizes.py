"""The error for any invalid input is small, and takes no work for each mistake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from pydantic import BaseModel

from notifier import send
from notifier.core import errors, events
from notifier.core.draft import draft
from notifier.core.errors import InvalidInput
from notifier.core.events import define_event
from notifier.tokens import Tokens
from tests.harness.world import migrate, settings
from web import create_app
from web.runtime import EXTENSION

LIMIT = 16 * 1024
KEY = "key-of-the-tests-0123456789"
ALERT = {"title": "t", "message": "m", "type": "info"}
MANY = {f"field {number}": 1 for number in range(60_000)}
LONG = "\x01" * 300_000  # six bytes each in JSON
DEEP: Any = {"a": "x"}
for _ in range(200):
    DEEP = {"a": DEEP}


class Numbers(BaseModel):
    numbers: list[int]


class Node(BaseModel):
    children: dict[str, Node]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    app = create_app(settings(var_dir=tmp_path, demo=False, api_keys=KEY))
    migrate(app.extensions[EXTENSION].database.engine)
    yield app.test_client()
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


@pytest.fixture
def more_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_events", dict(events._events))
    define_event("numbers", Numbers)
    define_event("node", Node)


def tree(width: int, depth: int) -> Any:
    return {"children": {f"{n}" * 60: tree(width, depth - 1) for n in range(width)} if depth else 7}


BACKEND: dict[str, tuple[str, Any]] = {
    "unknown fields of a call": ("/api/notifications", MANY),
    "unknown fields of an alert": ("/api/notifications", {"user_id": "u", "data": ALERT | MANY}),
    "unknown fields of an action": (
        "/api/notifications", {"user_id": "u", "data": {**ALERT, "action": MANY}},
    ),
    "some unknown fields": ("/api/notifications", {"user_id": "u", **dict(list(MANY.items())[:200])}),
    "long names of unknown fields": (
        "/api/badges", {f"{number}{chr(1) * 2_000}": 1 for number in range(80)},
    ),
    "a long name of an event": ("/api/notifications", {"user_id": "u", "event": LONG[:100_000], "data": {}}),
    "a wrong user id": ("/api/notifications", {"user_id": LONG[:100_000], "data": ALERT}),
    "wrong user ids": ("/api/notifications", {"user_ids": [7] * 10_000, "data": ALERT}),
    "a wrong id": ("/api/notifications", {"user_id": "u", "id": [["x"]] * 10_000, "data": ALERT}),
    "numbers that are none": (
        "/api/notifications", {"user_id": "u", "event": "numbers", "data": {"numbers": ["x"] * 200_000}},
    ),
    "wrong at the ends of a tree": (
        "/api/notifications", {"user_id": "u", "event": "node", "data": tree(6, 4)},
    ),
    "wrong far below": ("/api/notifications", {"user_id": "u", "event": "node", "data": DEEP}),
    "unknown fields of a revocation": ("/api/revocations", MANY),
}  # fmt: skip
USER: dict[str, Any] = {
    "unknown fields": MANY,
    "few unknown fields with long names": {f"{number}{chr(1) * 300}": 1 for number in range(30)},
    "ids that are none": {"ids": ["x"] * 900},
    "too many ids": {"ids": ["x"] * 60_000},
    "a list": [1] * 20_000,
}


def small(answer: Any) -> dict[str, Any]:
    """Return the problem: a 422 of bounded size with a bounded number of mistakes."""
    assert answer.status_code == 422, answer.text[:500]
    assert len(answer.data) <= LIMIT
    problem: dict[str, Any] = orjson.loads(answer.data)
    assert 1 <= len(problem["errors"]) <= errors.MAX_PROBLEMS + 1
    return problem


@pytest.mark.usefixtures("more_events")
@pytest.mark.parametrize("case", BACKEND)
def test_a_backend_s_error_is_small(client: FlaskClient, case: str) -> None:
    path, body = BACKEND[case]
    small(client.post(path, data=orjson.dumps(body), headers={"Authorization": f"Bearer {KEY}"}))


@pytest.mark.parametrize("case", USER)
@pytest.mark.parametrize("op", ["read", "unread", "archive"])
def test_a_user_s_error_is_small(client: FlaskClient, op: str, case: str) -> None:
    app = client.application
    tokens: Tokens = app.extensions[EXTENSION].tokens
    bearer = {"Authorization": f"Bearer {tokens.mint('u')}"}
    small(client.post(f"/api/inbox/{op}", data=orjson.dumps(USER[case]), headers=bearer))


@pytest.mark.parametrize(
    "query", [f"{'x' * 2_000}=1", "&".join(f"f{n}=1" for n in range(500)), f"limit={'9' * 3_000}"]
)
def test_the_error_of_a_query_is_small(client: FlaskClient, query: str) -> None:
    bearer = {"Authorization": f"Bearer {KEY}"}
    small(client.get(f"/api/reports/devices?{query}", headers=bearer))


def test_how_many_there_are_is_said(client: FlaskClient) -> None:
    body = {f"f{number}": 1 for number in range(100)}
    answer = client.post("/api/revocations", json=body, headers={"Authorization": f"Bearer {KEY}"})
    said = small(answer)["errors"]
    assert len(said) == errors.MAX_PROBLEMS + 1
    assert said[-1] == {"loc": [], "msg": "and 81 more"}  # the 100, and the user id that is missing


def test_a_large_body_of_a_user_is_not_even_parsed(client: FlaskClient) -> None:
    tokens: Tokens = client.application.extensions[EXTENSION].tokens
    bearer = {"Authorization": f"Bearer {tokens.mint('u')}"}
    answer = client.post("/api/inbox/read", data=b"[" * 70_000, headers=bearer)
    assert small(answer)["errors"][0]["msg"] == "must have at most 65536 bytes"


def test_the_error_of_a_task_or_of_python_is_small() -> None:
    with pytest.raises(InvalidInput) as caught:
        draft(user_id="u", data=ALERT | dict(list(MANY.items())[:200]), event="alert")
    assert len(caught.value.problems) == errors.MAX_PROBLEMS + 1
    assert len(str(caught.value)) <= errors.MAX_DETAIL
