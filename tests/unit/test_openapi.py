"""The API's description is generated from the routes, so what is tested is that it is whole and valid."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
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
        rule.rule
        for rule in app.url_map.iter_rules()
        if not rule.websocket and rule.endpoint not in UNDESCRIBED
    } - {path.replace("{", "<").replace("}", ">") for path in described}
    assert missing == set()


def test_every_call_says_who_may_make_it(app: Flask) -> None:
    for path, operations in document(app)["paths"].items():
        for operation in operations.values():
            expected = [] if not path.startswith("/api/") else None
            if expected is None:
                assert operation["security"], path
            else:
                assert operation["security"] == expected, path


def test_a_sent_notification_is_described_with_the_schema_of_each_event(app: Flask) -> None:
    schemas = document(app)["components"]["schemas"]
    cases = {
        case["if"]["properties"]["event"]["const"]: case["then"] for case in schemas["SendBody"]["allOf"]
    }
    assert cases["alert"]["properties"]["data"]["$ref"].endswith("/Alert")
    assert schemas["Alert"]["properties"]["title"]["maxLength"] == 200
