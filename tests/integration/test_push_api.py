"""Push subscriptions, and the links in mails, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from models.store import addresses as store
from models.tables import addresses, recipients
from notifier import send
from notifier.channels import Entry, Message
from notifier.core.categories import Category, Reach, replace_categories
from notifier.outbox.types import now
from notifier.tokens import Tokens
from tests.harness.push_service import Browser
from tests.harness.world import Published, World, alert, migrate, settings
from usecases.erase import erase
from usecases.sealed_token import PUSH_READ, UNSUBSCRIBE, SealedTokens
from usecases.unsubscribe import UnsubscribeLinks, read_link
from web import create_app
from web.runtime import EXTENSION

ENDPOINT = "https://fcm.googleapis.com/fcm/send/"


CATEGORIES = {"orders": Category("orders", "Orders", reach={"email": Reach()})}


@pytest.fixture(autouse=True)
def _categories() -> Iterator[None]:
    replace_categories({}, CATEGORIES)
    yield
    replace_categories(CATEGORIES, {})


@pytest.fixture
def configured(tmp_path: Path) -> Any:
    return settings(var_dir=tmp_path, demo=False)


@pytest.fixture
def web(configured: Any) -> Iterator[FlaskClient]:
    app = create_app(configured)
    runtime = app.extensions[EXTENSION]
    migrate(runtime.database.engine)
    yield app.test_client()
    runtime.database.dispose()
    send.use(None)


@pytest.fixture
def world(web: FlaskClient) -> World:
    return World(web.application.extensions[EXTENSION].database)


def as_user(configured: Any, user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {Tokens.from_settings(configured).mint(user)}"}


def subscribed(world: World) -> list[tuple[str, str]]:
    with world.database.read() as connection:
        rows = connection.execute(
            sa.select(addresses.c.user_id, addresses.c.address).order_by(addresses.c.id)
        )
        return [(row.user_id, row.address.removeprefix(ENDPOINT)) for row in rows]


def test_an_endpoint_belongs_to_the_user_who_registered_it_last(
    web: FlaskClient, world: World, configured: Any
) -> None:
    browser = Browser(f"{ENDPOINT}one")
    for user in ("a", "a", "b"):
        answer = web.post("/api/push/subscriptions", json=browser.json(), headers=as_user(configured, user))
        assert answer.status_code == 201
    assert subscribed(world) == [("b", "one")]
    gone = web.delete(
        "/api/push/subscriptions", json={"endpoint": browser.endpoint}, headers=as_user(configured, "a")
    )
    assert gone.status_code == 204
    assert subscribed(world) == [("b", "one")]
    web.delete(
        "/api/push/subscriptions", json={"endpoint": browser.endpoint}, headers=as_user(configured, "b")
    )
    assert subscribed(world) == []


def test_a_token_from_before_an_erasure_subscribes_nothing(
    web: FlaskClient, configured: Any, world: World
) -> None:
    """This process has not heard of the erasure; SQL has."""
    token = as_user(configured, "a")
    for name, status in (("1", 201), ("2", 401)):
        answer = web.post("/api/push/subscriptions", json=Browser(ENDPOINT + name).json(), headers=token)
        assert answer.status_code == status
        erase(world.database, Published(), "a", mail=Path("nowhere"))
    assert subscribed(world) == []


def test_of_more_than_twenty_the_one_longest_without_a_success_goes(
    web: FlaskClient, world: World, configured: Any
) -> None:
    headers = as_user(configured, "a")
    for number in range(20):
        web.post("/api/push/subscriptions", json=Browser(f"{ENDPOINT}{number}").json(), headers=headers)
    with world.database.write() as connection:
        first = connection.scalar(sa.select(sa.func.min(addresses.c.id)))
        assert first is not None
        store.succeeded(connection, [first], present=now())
    web.post("/api/push/subscriptions", json=Browser(f"{ENDPOINT}20").json(), headers=headers)
    kept = {name for _, name in subscribed(world)}
    assert kept == {str(number) for number in range(21)} - {"1"}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"endpoint": "https://127.0.0.1/x"}, "endpoint"),
        ({"endpoint": "https://evil.example/x"}, "endpoint"),
        ({"keys": {"p256dh": "AAAA", "auth": "AAAA"}}, "keys"),
        ({"keys": {}}, "keys"),
    ],
)
def test_anything_but_a_subscription_is_refused(
    web: FlaskClient, world: World, configured: Any, change: dict[str, Any], where: str
) -> None:
    body = Browser(f"{ENDPOINT}x").json() | change
    answer = web.post("/api/push/subscriptions", json=body, headers=as_user(configured, "a"))
    assert answer.status_code == 422
    assert {one["loc"][0] for one in answer.json["errors"]} == {where}
    assert subscribed(world) == []


def test_the_key_is_a_point_that_browsers_take(web: FlaskClient, configured: Any) -> None:
    first, again = (web.get("/api/push/key", headers=as_user(configured, "a")).json for _ in range(2))
    assert first == again
    assert len(first["key"]) == 87


def test_a_push_token_marks_its_entry_read_and_is_good_for_nothing_else(
    web: FlaskClient, world: World, configured: Any
) -> None:
    first, other = world.send("a"), world.send("a")
    world.dispatch()
    token = SealedTokens.from_settings(PUSH_READ, configured).seal({"u": "a", "n": first})
    assert web.get("/api/inbox", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    for _ in range(2):
        assert web.post("/api/push/read", json={"token": token}).status_code == 204
    items = web.get("/api/inbox", headers=as_user(configured, "a")).json["items"]
    assert {item["id"]: item["read_at"] is not None for item in items} == {first: True, other: False}
    assert web.post("/api/push/read", json={"token": token[:-2]}).status_code == 404
    assert web.post(f"/unsubscribe?token={token}").status_code == 404


def link(configured: Any, *categories: str) -> str:
    entry = Entry("i", "alert", alert(), "general", now())
    message = Message("email", "a@b.example", "a", (entry,), categories=categories)
    made = UnsubscribeLinks.from_settings(configured).link(message)
    assert made is not None
    return made.partition("3000")[2]


def preferences(world: World) -> Any:
    with world.database.read() as connection:
        return connection.scalar(sa.select(recipients.c.preferences))


def test_looking_at_the_link_changes_nothing(web: FlaskClient, world: World, configured: Any) -> None:
    with world.database.write() as connection:
        connection.execute(sa.insert(recipients).values(user_id="a", updated_at=now()))
    for call in (web.get, web.head):
        answer = call(link(configured, "orders"))
        assert answer.status_code == 200
    page = web.get(link(configured, "orders"))
    assert "Orders" in page.text
    assert "<button" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in page.headers
    assert preferences(world) is None


@pytest.mark.parametrize("body", [{"List-Unsubscribe": "One-Click"}, {}])
def test_the_post_works_without_anything_and_any_number_of_times(
    web: FlaskClient, world: World, configured: Any, body: dict[str, str]
) -> None:
    with world.database.write() as connection:
        connection.execute(sa.insert(recipients).values(user_id="a", updated_at=now()))
    for _ in range(3):
        assert web.post(link(configured, "orders"), data=body).status_code == 200
    assert preferences(world)["categories"]["orders"]["email"]["value"] == "off"


def test_a_wrong_link_is_a_page_that_says_so(web: FlaskClient, configured: Any) -> None:
    token = SealedTokens.from_settings(PUSH_READ, configured).seal({"u": "a", "n": "x"})
    user = Tokens.from_settings(configured).mint("a")
    for wrong in ("", "x", token, user, SealedTokens(UNSUBSCRIBE, ["x" * 32]).seal({"u": "a", "c": []})):
        assert web.get(f"/unsubscribe?token={wrong}").status_code == 404
        assert web.post(f"/unsubscribe?token={wrong}").status_code == 404


def test_a_link_of_very_many_categories_fits_into_a_header(configured: Any) -> None:
    import hashlib

    many = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(60)]
    made = link(configured, *many)
    assert len(made) < 900
    token = made.partition("token=")[2]
    assert read_link(configured, token).categories == []
