"""Profiles and preferences over HTTP and Python, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from notifier import send, set_recipient
from notifier.core.categories import Category, Reach, categories, replace_categories
from notifier.core.errors import InvalidInput
from notifier.outbox import recipients
from notifier.outbox.engine import Database
from notifier.send import Sender
from tests.harness.tokens import user_token
from tests.harness.world import Published, World, settings
from usecases.erase import erase
from web import create_app
from web.runtime import EXTENSION

SECRET = "a-secret-for-tests-only-0123456789abcdef"
ADMIN = {"Authorization": "Bearer key-that-administers"}
ORDERS = Category(
    "orders", "Orders", "What you bought", reach={"email": Reach("10m", "read"), "push": Reach()}
)
SECURITY = Category("security", "Security", required=True, reach={"email": Reach()})


@pytest.fixture
def kinds() -> Iterator[None]:
    before = {kind.name: kind for kind in categories()}
    replace_categories({}, {"orders": ORDERS, "security": SECURITY})
    yield
    replace_categories({"orders": ORDERS, "security": SECURITY}, before)


@pytest.fixture
def app(database: Database, tmp_path: Path, kinds: None) -> Iterator[Flask]:
    url = database.engine.url.render_as_string(hide_password=False)
    made = create_app(
        settings(
            var_dir=tmp_path,
            database_url=url,
            broker_url="filesystem://",
            demo=False,
            secret=SECRET,
            api_keys="a:admin:key-that-administers,s:send:key-that-sends",
        )
    )
    yield made
    made.extensions[EXTENSION].database.dispose()
    send.use(None)


def as_user(user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {user_token(user, SECRET)}"}


def call(app: Flask, method: str, path: str, headers: dict[str, str], body: Any = None) -> tuple[int, Any]:
    answer = app.test_client().open(path, method=method, headers=headers, json=body)
    return answer.status_code, answer.json


def patch(app: Flask, user: str, **change: Any) -> Any:
    status, answer = call(app, "PATCH", "/api/preferences", as_user(user), change)
    assert status == 200, answer
    return answer


def test_a_change_is_answered_as_it_is_told(app: Flask, world: World) -> None:
    answer = patch(
        app, "u/1", categories={"orders": {"email": "daily", "inbox": None}}, channels={"push": "off"},
        quiet_hours={"from": "22:00", "to": "07:00", "days": ["mon"]}, timezone="Europe/Berlin", paused_until=5,
    )  # fmt: skip
    # By name: the demo shop, where another test has loaded it, defines a category as well.
    assert next(each for each in answer["categories"] if each["name"] == "orders") == {
        "name": "orders", "title": "Orders", "description": "What you bought", "required": False,
        "channels": {
            "inbox": {"value": "on", "from": "default"},
            "email": {"value": "daily", "from": "user"},
            "push": {"value": "off", "from": "channel"},
        },
    }  # fmt: skip
    assert answer["channels"] == {"inbox": None, "email": None, "push": "off"}
    assert answer["quiet_hours"] == {"from": "22:00", "to": "07:00", "days": ["mon"]}
    assert (answer["timezone"], answer["paused_until"]) == ("Europe/Berlin", 5)
    assert call(app, "GET", "/api/preferences", as_user("u/1")) == (200, answer)
    assert call(app, "GET", "/api/preferences?user_id=u%2F1", ADMIN) == (200, answer)


def test_each_change_is_one_entry_of_the_log_and_counts_nothing(app: Flask, world: World) -> None:
    world.arrive("u1")
    patch(app, "u1", channels={"inbox": "off"})
    patch(app, "u1", channels={"inbox": "off"})  # changes nothing
    patch(app, "u1", channels={"inbox": None})
    patch(app, "u2", timezone="Asia/Tokyo")  # of whom nothing was known
    assert [(entry.event, entry.data, entry.unread) for entry in world.log("u1")[1:]] == [
        ("inbox.preferences", {}, 1)
    ] * 2
    assert [(entry.seq, entry.event) for entry in world.log("u2")] == [(1, "inbox.preferences")]
    world.arrive("u1")
    assert world.violations() == []


def test_a_token_from_before_an_erasure_changes_nothing(app: Flask, world: World) -> None:
    """This process has not heard of the erasure; SQL has."""
    patch(app, "u1", channels={"email": "off"})
    token = as_user("u1")
    erase(world.database, Published(), "u1", mail=Path("nowhere"))
    status, answer = call(app, "PATCH", "/api/preferences", token, {"channels": {"email": "daily"}})
    assert (status, answer["detail"]) == (401, "the token is revoked")
    assert call(app, "GET", "/api/recipients?user_id=u1", ADMIN)[0] == 404
    assert world.log("u1") == []
    assert call(app, "PATCH", "/api/preferences", ADMIN, {"user_id": "u1", "timezone": "UTC"})[0] == 200


def test_what_is_unknown_changes_nothing(app: Flask, world: World) -> None:
    before = patch(app, "u1", channels={"email": "off"})
    change = {"channels": {"email": "daily"}, "categories": {"orders": {"inbox": "maybe"}}}
    status, problem = call(app, "PATCH", "/api/preferences", as_user("u1"), change)
    assert (status, problem["errors"][0]["loc"]) == (422, ["categories", "orders", "inbox"])
    assert call(app, "GET", "/api/preferences", as_user("u1"))[1] == before
    assert len(world.log("u1")) == 1


def test_backends_name_somebody_and_users_nobody_else(app: Flask) -> None:
    body = {"user_id": "u1", "channels": {"email": "off"}}
    assert call(app, "PATCH", "/api/preferences", ADMIN, body)[1]["channels"]["email"] == "off"
    assert call(app, "GET", "/api/preferences", as_user("u1"))[1]["channels"]["email"] == "off"
    assert call(app, "PATCH", "/api/preferences", as_user("u2"), body)[0] == 403
    assert call(app, "GET", "/api/preferences?user_id=u1", as_user("u2"))[0] == 403
    assert call(app, "GET", "/api/preferences", ADMIN)[0] == 422
    assert (
        call(app, "GET", "/api/preferences?user_id=u1", {"Authorization": "Bearer key-that-sends"})[0] == 403
    )


def test_a_profile_is_set_field_by_field(app: Flask) -> None:
    put = {"user_id": "ü/#", "email": "ann@shop.example", "name": "Ann", "addresses": {"sms": "+49 1"}}
    assert call(app, "GET", "/api/recipients?user_id=u1", ADMIN)[0] == 404
    assert call(app, "PUT", "/api/recipients", ADMIN, put) == (
        200,
        {**put, "locale": None, "timezone": None, "off": {}},
    )
    more = {"user_id": "ü/#", "name": None, "timezone": "Europe/Berlin", "addresses": {"sms": None}}
    status, answer = call(app, "PUT", "/api/recipients", ADMIN, more)
    assert (status, answer["email"], answer["name"], answer["addresses"]) == (
        200,
        "ann@shop.example",
        None,
        {},
    )
    assert call(app, "GET", "/api/recipients?user_id=%C3%BC%2F%23", ADMIN) == (200, answer)
    wrong = {"user_id": "u1", "email": "a@b, c@d", "timezone": "Nowhere"}
    status, problem = call(app, "PUT", "/api/recipients", ADMIN, wrong)
    assert (status, [error["loc"] for error in problem["errors"]]) == (422, [["email"], ["timezone"]])


def test_an_application_sets_a_profile_in_its_own_transaction(database: Database) -> None:
    send.use(Sender(database, waker=None))  # type: ignore[arg-type]
    try:
        set_recipient("u1", email="ann@shop.example", timezone="Europe/Berlin")
        with Session(database.engine) as session:
            set_recipient("u1", email="other@shop.example", session=session)
            session.rollback()
            set_recipient("u1", name="Ann", session=session)
            session.commit()
        with pytest.raises(InvalidInput):
            set_recipient("u1", email="nobody")
    finally:
        send.use(None)
    with database.read() as connection:
        found = recipients.find(connection, "u1")
    assert found is not None
    assert (found.email, found.name, found.timezone) == ("ann@shop.example", "Ann", "Europe/Berlin")
