"""A key over its limit is told when to retry; a client's address comes from trusted proxies only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from notifier import send
from tests.harness.world import migrate, settings
from web import create_app
from web.runtime import EXTENSION

ALERT = {"user_id": "u1", "data": {"title": "t", "message": "m", "type": "info"}}
FIELD = re.compile(r'^"key";r=(\d+);t=(\d+)$')


def made(folder: Path, **given: Any) -> Flask:
    app = create_app(settings(var_dir=folder, demo=False, api_keys="one,two,bi:report:three", **given))
    migrate(app.extensions[EXTENSION].database.engine)
    return app


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = made(tmp_path, posts_per_minute=3)
    yield app
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def post(client: FlaskClient, key: str, body: Any = ALERT) -> Any:
    return client.post("/api/notifications", json=body, headers={"Authorization": f"Bearer {key}"})


def test_each_answer_says_what_is_left(client: FlaskClient) -> None:
    for left in (2, 1, 0):
        answer = post(client, "one")
        assert answer.status_code == 202
        assert answer.headers["RateLimit-Policy"] == '"key";q=3;w=60'
        found = FIELD.match(answer.headers["RateLimit"])
        assert found
        assert int(found[1]) == left
        assert 1 <= int(found[2]) <= 60


def test_over_the_limit_is_429_with_a_time_to_return_and_stores_nothing(
    app: Flask, client: FlaskClient
) -> None:
    for _ in range(3):
        post(client, "one")
    answer = post(client, "one")
    assert answer.status_code == 429
    assert answer.mimetype == "application/problem+json"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert FIELD.match(answer.headers["RateLimit"])
    with app.extensions[EXTENSION].database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM notifier_notifications").scalar() == 3


def test_a_wrong_body_counts_too_and_says_so(client: FlaskClient) -> None:
    assert post(client, "one", {}).headers["RateLimit"].startswith('"key";r=2;')


def test_one_key_over_its_limit_does_not_affect_another(client: FlaskClient) -> None:
    for _ in range(5):
        post(client, "one")
    assert post(client, "two").status_code == 202


def test_calls_without_rights_do_not_count(client: FlaskClient) -> None:
    for _ in range(5):
        assert post(client, "nobody").status_code == 401
        assert post(client, "three").status_code == 403
    assert post(client, "one").status_code == 202


def test_reading_is_not_counted(client: FlaskClient) -> None:
    for _ in range(5):
        answer = client.get("/api/reports/daily", headers={"Authorization": "Bearer one"})
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers


def as_user(app: Flask, client: FlaskClient, user: str, path: str = "/api/inbox") -> Any:
    bearer = {"Authorization": f"Bearer {app.extensions[EXTENSION].tokens.mint(user)}"}
    return (
        client.post(path, json={}, headers=bearer)
        if path != "/api/inbox"
        else client.get(path, headers=bearer)
    )


def test_a_user_s_calls_are_limited_too_right_or_wrong(tmp_path: Path) -> None:
    app = made(tmp_path, calls_per_minute=3)
    client = app.test_client()
    assert as_user(app, client, "u").headers["RateLimit"].startswith('"user";r=2;')
    for left, path in enumerate(("/api/inbox/archive", "/api/inbox/read")):
        answer = as_user(app, client, "u", path)
        assert answer.status_code == 422
        assert answer.headers["RateLimit-Policy"] == '"user";q=3;w=60'
        assert answer.headers["RateLimit"].startswith(f'"user";r={1 - left};')
    for path in ("/api/inbox", "/api/inbox/read", "/api/inbox/unread", "/api/inbox/archive"):
        answer = as_user(app, client, "u", path)
        assert answer.status_code == 429
        assert answer.mimetype == "application/problem+json"
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert as_user(app, client, "another").status_code == 200
    closed(app)


def closed(app: Flask) -> None:
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


def report(client: FlaskClient, credentials: str, address: str = "192.0.2.1") -> Any:
    return client.get(
        "/api/reports/daily",
        headers={"Authorization": f"Bearer {credentials}"}, environ_overrides={"REMOTE_ADDR": address},
    )  # fmt: skip


def test_guessing_keys_ends_in_429_whatever_is_given(tmp_path: Path) -> None:
    app = made(tmp_path, wrong_credentials_per_minute=3)
    client = app.test_client()
    assert report(client, "one").status_code == 200
    assert [report(client, f"guess-{n}").status_code for n in range(5)] == [401, 401, 401, 429, 429]
    refused = report(client, "two")  # it is valid, but has not been used from there before
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.json == report(client, "guess-6").json
    assert report(client, "one").status_code == 200
    assert report(client, "two", "192.0.2.2").status_code == 200
    closed(app)


def test_wrong_tokens_count_as_guesses_and_right_or_ended_ones_do_not(tmp_path: Path) -> None:
    app = made(tmp_path, wrong_credentials_per_minute=3)
    client, tokens = app.test_client(), app.extensions[EXTENSION].tokens

    def inbox(token: str) -> int:
        return client.get("/api/inbox", headers={"Authorization": f"Bearer {token}"}).status_code

    ended = tokens.mint("u", ttl=-10)
    assert [inbox(ended) for _ in range(5)] == [401] * 5
    assert [client.get("/api/inbox").status_code for _ in range(5)] == [401] * 5
    assert [inbox("no.to.ken") for _ in range(5)] == [401, 401, 401, 429, 429]
    assert inbox(tokens.mint("u")) == 200
    assert inbox(ended) == 401
    closed(app)


@pytest.mark.parametrize(
    ("hops", "address", "scheme"),
    [(0, "127.0.0.1", "http"), (1, "203.0.113.9", "https"), (2, "198.51.100.1", "http")],
)
def test_only_trusted_hops_determine_the_clients_address(
    tmp_path: Path, hops: int, address: str, scheme: str
) -> None:
    app = made(tmp_path, proxy_hops=hops)
    app.add_url_rule("/who", "who", lambda: f"{request.remote_addr} {request.scheme} {request.host}")
    said = {
        "X-Forwarded-For": "10.0.0.1, 198.51.100.1, 203.0.113.9",
        "X-Forwarded-Proto": "http, https",
        "X-Forwarded-Host": "evil.example",
    }
    assert app.test_client().get("/who", headers=said).text == f"{address} {scheme} localhost"
    app.extensions[EXTENSION].database.dispose()
    send.use(None)
