"""Every page and answer, errors included, has the security headers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from notifier import send
from tests.harness.world import migrate, settings
from web import create_app
from web.headers import NOTHING
from web.runtime import EXTENSION

PLACES = {"<id>": "x", "<name>": "daily", "<path:name>": "notifier.js", "<int:order_id>": "7"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(settings(var_dir=tmp_path, demo=True, api_keys="a-key"))
    migrate(app.extensions[EXTENSION].database.engine)
    yield app
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def calls(app: Flask) -> Iterator[tuple[str, str]]:
    """Return every route with every method, and unknown paths and methods."""
    for rule in app.url_map.iter_rules():
        path = rule.rule
        for place, value in PLACES.items():
            path = path.replace(place, value)
        for method in sorted(rule.methods or ()):
            yield method, path
    yield from [
        ("GET", "/nowhere"),
        ("GET", "/shop/shop.css"),
        ("DELETE", "/api/inbox"),
        ("GET", "/shop/nothing"),
    ]


def test_every_answer_has_the_headers(app: Flask, client: FlaskClient) -> None:
    for method, path in calls(app):
        answer = client.open(path, method=method)
        headers, where = answer.headers, f"{method} {path}"
        policy = {
            part.split()[0]: part.split()[1:] for part in headers["Content-Security-Policy"].split("; ")
        }
        assert policy["frame-ancestors"] == ["'none'"], where
        assert policy["base-uri"] == ["'none'"], where
        assert policy["default-src"] in (["'none'"], ["'self'"]), where
        allowed = {source for sources in policy.values() for source in sources}
        assert not allowed & {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:", "data:"}, where
        assert headers["X-Content-Type-Options"] == "nosniff", where
        assert headers["X-Frame-Options"] == "DENY", where
        assert headers["Referrer-Policy"] in ("no-referrer", "same-origin"), where
        shared = path.startswith("/client/")
        assert headers["Cross-Origin-Resource-Policy"] == ("cross-origin" if shared else "same-origin"), where
        if answer.mimetype == "text/html":
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin", where
            assert policy != {"default-src": ["'none'"]}, where
        if path.startswith("/api/"):
            assert headers["Cache-Control"] == "no-store", where
        assert all(headers.getlist(name) == [headers[name]] for name in headers.keys()), where  # noqa: SIM118
        answer.close()


def test_an_unexpected_error_has_them_too(app: Flask, client: FlaskClient) -> None:
    def fail() -> str:
        raise RuntimeError("a secret detail")

    app.add_url_rule("/fails", "fails", fail)
    answer = client.get("/fails")
    assert answer.status_code == 500
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/notifications", {"user_id": "u", "data": {"title": "t", "message": "m", "type": "info"}}),
        ("/api/badges", {"user_id": "u", "type": "tasks", "count": 1}),
    ],
)
@pytest.mark.parametrize("root", ["", "/under"])
def test_a_202_has_the_address_of_the_status(
    client: FlaskClient, path: str, body: dict[str, object], root: str
) -> None:
    asked = {"base_url": f"http://localhost{root}", "headers": {"Authorization": "Bearer a-key"}}
    answer = client.post(path, json=body, **asked)
    assert answer.location == f"{root}/api/notifications/{answer.json['id']}"
    assert client.get(answer.location.removeprefix(root), **asked).json["id"] == answer.json["id"]


def test_the_service_worker_may_call_the_service(client: FlaskClient) -> None:
    with client.get("/client/push-worker.js") as answer:
        assert answer.headers["Content-Security-Policy"] == f"{NOTHING}; connect-src 'self'"
