"""An API key determines the sender, and what the caller may do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from notifier import send
from notifier.settings import Settings
from tests.harness.tokens import user_token
from tests.harness.world import migrate
from web import create_app
from web.runtime import EXTENSION

KEYS = "shop:send:old,shop:send:new,bi:report:reads,ops:admin:rules,plain"
ALERT = {"title": "t", "message": "m", "type": "info"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(Settings.load(_env_file=None, var_dir=tmp_path, demo=False, api_keys=KEYS))
    database = app.extensions[EXTENSION].database
    migrate(database.engine)
    yield app
    database.dispose()
    send.use(None)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def sent_with(client: FlaskClient, key: str) -> int:
    body = {"user_id": "u1", "data": ALERT}
    return client.post("/api/notifications", json=body, headers=bearer(key)).status_code


def test_old_and_new_key_are_valid_beside_each_other(client: FlaskClient) -> None:
    assert [sent_with(client, key) for key in ("old", "new", "plain", "older")] == [202, 202, 202, 401]


def test_the_right_key_without_the_scope_is_403_and_stores_nothing(app: Flask, client: FlaskClient) -> None:
    refused = client.post(
        "/api/notifications", json={"user_id": "u1", "data": ALERT}, headers=bearer("reads")
    )
    assert refused.status_code == 403
    assert refused.json is not None
    assert refused.json["detail"] == "this API key lacks the scope send"
    assert sent_with(client, "rules") == 403
    with app.extensions[EXTENSION].database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM notifier_notifications").scalar() == 0


@pytest.mark.parametrize(("key", "name"), [("old", "shop"), ("plain", "system")])
def test_the_keys_name_is_the_sender(app: Flask, client: FlaskClient, key: str, name: str) -> None:
    assert sent_with(client, key) == 202
    with app.extensions[EXTENSION].database.read() as connection:
        assert connection.exec_driver_sql("SELECT sender FROM notifier_notifications").scalar() == name


def test_a_whole_entry_or_a_token_is_not_a_key(app: Flask, client: FlaskClient) -> None:
    token = user_token("u1", app.extensions[EXTENSION].settings.signing_secret())
    assert [sent_with(client, given) for given in ("shop:send:new", "shop", token)] == [401, 401, 403]


def send_once(client: FlaskClient, key: str, title: str) -> tuple[int, str | None, str | None]:
    """Send with an idempotency key; return status, id, and whether it was replayed."""
    answer = client.post(
        "/api/notifications",
        json={"user_id": "u1", "data": ALERT | {"title": title}},
        headers=bearer(key) | {"Idempotency-Key": "order-7"},
    )
    body = answer.json or {}
    return answer.status_code, body.get("id"), answer.headers.get("Idempotency-Replayed")


def test_an_idempotency_key_belongs_to_the_name_of_the_api_key(app: Flask, client: FlaskClient) -> None:
    shop = send_once(client, "old", "from the shop")
    plain = send_once(client, "plain", "from a plain key")
    assert (shop[0], shop[2]) == (plain[0], plain[2]) == (202, None)
    assert shop[1] != plain[1], "two backends never meet"
    assert send_once(client, "new", "from the shop") == (202, shop[1], "true"), "another key of the same name"
    assert send_once(client, "new", "something else")[0] == 422
    assert send_once(client, "plain", "from a plain key") == (202, plain[1], "true")
    with app.extensions[EXTENSION].database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM notifier_notifications").scalar() == 2
