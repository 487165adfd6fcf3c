"""The API's description is generated from the routes; these tests check that it is complete and valid."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from notifier import send
from notifier.settings import Settings
from web import create_app
from web.openapi import document

UNDESCRIBED = {"client"}  # files, not calls


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(Settings.load(var_dir=tmp_path, demo=False))
    yield app
    send.use(None)


def test_the_description_is_valid_openapi_3_1(app: Flask) -> None:
    description = document(app)
    assert description["openapi"].startswith("3.1")
    validate(description)


def test_every_route_but_files_and_the_socket_is_described(app: Flask) -> None:
    described = set(document(app)["paths"])
    missing = {
        rule.rule.replace("<not_batch:", "<")
        for rule in app.url_map.iter_rules()
        if not rule.websocket
        and rule.endpoint not in UNDESCRIBED
        and not rule.endpoint.startswith("dashboard.")
    } - {path.replace("{", "<").replace("}", ">") for path in described}
    assert missing == set()


def test_every_call_says_who_may_make_it(app: Flask) -> None:
    for path, operations in document(app)["paths"].items():
        for operation in operations.values():
            by_token = path == "/api/push/read"  # the body's token is for this call alone
            expected = [] if by_token or not path.startswith("/api/") else None
            if expected is None:
                assert operation["security"], path
            else:
                assert operation["security"] == expected, path


def test_every_call_with_credentials_may_be_answered_with_429(app: Flask) -> None:
    for path, operations in document(app)["paths"].items():
        for operation in operations.values():
            assert not operation["security"] or "429" in operation["responses"], path


def test_a_sent_notification_is_described_with_the_schema_of_each_event(app: Flask) -> None:
    schemas = document(app)["components"]["schemas"]
    cases = {
        case["if"]["properties"]["event"]["const"]: case["then"] for case in schemas["SendBody"]["allOf"]
    }
    assert cases["alert"]["properties"]["data"]["$ref"].endswith("/Alert")
    assert schemas["Alert"]["properties"]["title"]["maxLength"] == 200


ALERT = {"title": "Order Shipped", "message": "m", "type": "info"}
TO_ONE = {"user_id": "u", "data": ALERT}
BADGE = {"type": "tasks", "count": 3}


@pytest.mark.parametrize(
    ("model", "body", "right"),
    [
        ("SendBody", TO_ONE, True),
        ("SendBody", TO_ONE | {"event": "alert", "user_ids": None, "id": None}, True),
        ("SendBody", {"user_ids": ["u", "v"], "data": ALERT}, True),
        ("SendBody", TO_ONE | {"event": "badge", "data": BADGE}, True),
        ("SendBody", TO_ONE | {"event": "badge", "data": BADGE, "expires_in": None, "collapse_key": None}, True),
        ("SendBody", TO_ONE | {"event": "badge", "data": BADGE, "expires_in": 60}, False),
        ("SendBody", TO_ONE | {"event": "badge", "data": BADGE, "collapse_key": "k"}, False),
        ("SendBody", TO_ONE | {"expires_in": 60}, True),
        ("SendBody", TO_ONE | {"expires_in": 60, "expires_at": None}, True),
        ("SendBody", TO_ONE | {"expires_in": 60, "expires_at": "2026-11-28T09:00:00Z"}, False),
        ("SendBody", TO_ONE | {"category": "general"}, True),
        ("SendBody", TO_ONE | {"category": None}, True),
        ("SendBody", TO_ONE | {"category": "unknown"}, False),
        ("SendBody", TO_ONE | {"data": BADGE}, False),
        ("SendBody", TO_ONE | {"event": "badge"}, False),
        ("SendBody", TO_ONE | {"event": "nothing"}, False),
        ("SendBody", TO_ONE | {"user_ids": ["v"]}, False),
        ("SendBody", TO_ONE | {"user_id": None}, False),
        ("SendBody", TO_ONE | {"data": ALERT | {"title": "a\0b"}}, False),
        ("ReadBody", {"through": 3}, True),
        ("ReadBody", {"through": 3, "ids": None}, True),
        ("ReadBody", {"through": 3, "ids": ["01a2039a-eb2c-70b1-a9a4-37b2e38a3d4e"]}, False),
        ("ReadBody", {}, False),
    ],
)  # fmt: skip
def test_the_description_takes_and_refuses_the_bodies_that_the_calls_do(
    app: Flask, model: str, body: dict[str, Any], right: bool
) -> None:
    whole = document(app) | {"$ref": f"#/components/schemas/{model}"}
    assert Draft202012Validator(whole).is_valid(body) == right


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("/", True), ("/orders/7?a=b#c", True), ("https://shop.example:30000/x", True),
        ("HTTP://日本.example", True), ("//evil.example", False), ("/\\evil.example", False),
        ("javascript:alert(1)", False), ("http://", False),
        ("http://shop.example:65536", False), ("/a b", False), ("/a\x7fb", False), ("orders/7", False),
    ],
)  # fmt: skip
def test_a_link_is_described_as_it_is_checked(app: Flask, url: str, right: bool) -> None:
    whole = document(app) | {"$ref": "#/components/schemas/Action"}
    assert Draft202012Validator(whole).is_valid({"label": "Track", "url": url}) == right
