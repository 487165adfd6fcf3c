"""docs/contract.md, section 5: each bad input gets a clear error without internals, and stores nothing."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.harness.backend_api import ALERT, BackendApi, UserApi
from tests.harness.http_client import Response
from tests.harness.site import Site
from tests.harness.tokens import WRONG_SECRET, user_token, wrong_tokens

MIB = 1024 * 1024
LEAKS = ("Traceback", "sqlalchemy", "psycopg", "sqlite3", "SELECT ", "INSERT ", "postgresql", "amqp://")
WRONG_TOKENS = list(wrong_tokens("x", "a-secret-for-naming-the-cases-0123456789"))


def action(url: Any, **more: Any) -> dict[str, Any]:
    return {**ALERT, "action": {"label": "Track", "url": url, **more}}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ALERT.items() if key != name}


ALERTS: dict[str, Any] = {
    "wrong type": {**ALERT, "type": "fatal"},
    "type is null": {**ALERT, "type": None},
    "no type": without("type"),
    "no title": without("title"),
    "title is empty": {**ALERT, "title": ""},
    "title has 201 characters": {**ALERT, "title": "x" * 201},
    "title is a number": {**ALERT, "title": 7},
    "no message": without("message"),
    "message is empty": {**ALERT, "message": ""},
    "message has 4001 characters": {**ALERT, "message": "x" * 4001},
    "unknown field": {**ALERT, "colour": "red"},
    "NUL in the title": {**ALERT, "title": "a\x00b"},
    "data is a list": [ALERT],
    "data is null": None,
    "data is a string": "hello",
    "action without a url": {**ALERT, "action": {"label": "Track"}},
    "action without a label": {**ALERT, "action": {"url": "/x"}},
    "action with an empty label": action("/x", label=""),
    "action with a label of 81": action("/x", label="x" * 81),
    "action with an unknown field": action("/x", target="_blank"),
    "action is a string": {**ALERT, "action": "/x"},
    **{
        f"url {url!r}": action(url)
        for url in (
            "javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)",
            "data:text/html,x", "vbscript:x", "//evil.example", "///evil.example", "/\\evil.example",
            "\\\\evil.example", "http:\\\\evil.example", "/a\tb", "/a\nb", "/\t/evil.example", "", "orders/7",
            "ftp://host/x", "http://", "https:///x", "http:evil.example", "mailto:a@b", "/a\x7fb", 7, None,
        )
    },
}  # fmt: skip

BODIES: dict[str, Any] = {
    "no recipient": {"data": ALERT},
    "both recipients": {"user_id": "u", "user_ids": ["u"], "data": ALERT},
    "user_id is empty": {"user_id": "", "data": ALERT},
    "user_id has 129 characters": {"user_id": "x" * 129, "data": ALERT},
    "user_id has a control character": {"user_id": "a\nb", "data": ALERT},
    "user_id is a number": {"user_id": 7, "data": ALERT},
    "user_id is null": {"user_id": None, "data": ALERT},
    "user_ids is empty": {"user_ids": [], "data": ALERT},
    "user_ids has 10001": {"user_ids": [f"u{number}" for number in range(10_001)], "data": ALERT},
    "user_ids is a string": {"user_ids": "abc", "data": ALERT},
    "user_ids holds a number": {"user_ids": ["u", 7], "data": ALERT},
    "user_ids holds an empty one": {"user_ids": ["u", ""], "data": ALERT},
    "unknown event": {"user_id": "u", "event": "nothing", "data": ALERT},
    "reserved event": {"user_id": "u", "event": "inbox.read", "data": {"through": 1}},
    "event is a number": {"user_id": "u", "event": 7, "data": ALERT},
    "event is a list": {"user_id": "u", "event": [], "data": ALERT},
    "no data": {"user_id": "u"},
    "unknown field": {"user_id": "u", "data": ALERT, "colour": "red"},
    "id is not a UUID": {"user_id": "u", "data": ALERT, "id": "seven"},
    "id is a number": {"user_id": "u", "data": ALERT, "id": 7},
    "the body is a list": [{"user_id": "u", "data": ALERT}],
    "the body is null": None,
    "the body is a string": "hello",
    "a badge with a negative count, as a notification": {
        "user_id": "u", "event": "badge", "data": {"type": "tasks", "count": -1},
    },
}  # fmt: skip

BADGES: dict[str, Any] = {
    "count -1": {"type": "messages", "count": -1},
    "count 1.5": {"type": "messages", "count": 1.5},
    "count beyond 32 bits": {"type": "messages", "count": 2_147_483_648},
    "count is a string": {"type": "messages", "count": "3"},
    "count is a truth": {"type": "messages", "count": True},
    "count is null": {"type": "messages", "count": None},
    "no count": {"type": "messages"},
    "unknown badge": {"type": "mails", "count": 1},
    "no type": {"count": 1},
    "unknown field": {"type": "messages", "count": 1, "colour": "red"},
}


def refused(answer: Response, status: int) -> None:
    """Assert that the answer is a problem (RFC 9457) with this status and without internals."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status
    assert problem["title"]
    assert not [leak for leak in LEAKS if leak in answer.text], answer.text
    if status == 422:
        assert problem["errors"], problem
        for error in problem["errors"]:
            assert isinstance(error["loc"], list)
            assert isinstance(error["msg"], str)
            assert error["msg"]


def stores_nothing(site: Site, answer: Response, status: int, before: int) -> None:
    refused(answer, status)
    assert site.rows("notifications") == before


@pytest.mark.parametrize("name", ALERTS)
def test_a_bad_alert_is_422_and_not_stored(site: Site, user: str, name: str) -> None:
    before = site.rows("notifications")
    body = {"user_id": user, "data": ALERTS[name]}
    stores_nothing(site, site.api.post("/api/notifications", body), 422, before)


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_422_and_not_stored(site: Site, name: str) -> None:
    before = site.rows("notifications")
    stores_nothing(site, site.api.post("/api/notifications", BODIES[name]), 422, before)


@pytest.mark.parametrize("name", BADGES)
def test_a_bad_badge_is_422_and_not_stored(site: Site, user: str, name: str) -> None:
    before = site.rows("notifications")
    stores_nothing(site, site.api.post("/api/badges", {"user_id": user, **BADGES[name]}), 422, before)


def test_an_error_says_where_it_is(site: Site, user: str) -> None:
    answer = site.api.send(user, {**ALERT, "title": "", "type": "x"})
    assert sorted(error["loc"] for error in answer.json["errors"]) == [["data", "title"], ["data", "type"]]


@pytest.mark.parametrize(
    "raw",
    [b"", b"hello", b"{", b"{'a': 1}", b"\xff\xfe", b'{"user_id": "u", }', b'{"user_id": "a\nb"}', b"{} {}"],
)
def test_what_is_not_json_is_400_and_not_stored(site: Site, raw: bytes) -> None:
    before = site.rows("notifications")
    for path in ("/api/notifications", "/api/badges"):
        stores_nothing(site, site.api.post(path, raw), 400, before)


def test_half_a_surrogate_pair_is_refused(site: Site, user: str) -> None:
    before = site.rows("notifications")
    answer = site.api.send(user, {**ALERT, "title": "\ud800"})
    stores_nothing(site, answer, answer.status if answer.status == 400 else 422, before)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_know_is_refused(site: Site, user: str, word: str) -> None:
    raw = json.dumps({"user_id": user, "type": "tasks", "count": 0}).replace("0}", f"{word}}}").encode()
    answer = site.api.post("/api/badges", raw)
    assert answer.status in (400, 422), answer


def test_a_body_over_one_mib_is_413_and_not_stored(site: Site, user: str) -> None:
    before = site.rows("notifications")
    padding = "x" * (MIB + 1)
    body = json.dumps({"user_id": user, "data": {**ALERT, "message": padding}}).encode()
    stores_nothing(site, site.api.post("/api/notifications", body), 413, before)
    with site.user(user) as api:
        refused(api.post("/api/inbox/read", {"ids": [padding]}), 413)


def test_a_body_just_under_one_mib_is_read(site: Site, user: str) -> None:
    empty = json.dumps({"user_id": user, "data": ALERT, "pad": ""}).encode()
    body = empty.replace(b'"pad": ""', b'"pad": "' + b"x" * (MIB - len(empty)) + b'"')
    assert len(body) == MIB
    refused(site.api.post("/api/notifications", body), 422)


@pytest.mark.parametrize(
    "key", [None, "", "wrong", "key-for-tests-and-more", "ключ".encode().decode("latin-1")]
)
def test_a_backend_call_without_the_right_key_is_401(site: Site, user: str, key: str | None) -> None:
    before = site.rows("notifications")
    with BackendApi(site.backend.base_url, key) as stranger:
        for answer in (
            stranger.send(user),
            stranger.badge(user, "tasks", 1),
            stranger.notification(str(uuid.uuid4())),
        ):
            stores_nothing(site, answer, 401, before)
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_credentials_come_before_the_body(site: Site) -> None:
    with BackendApi(site.backend.base_url, "wrong") as stranger:
        refused(stranger.post("/api/notifications", b"not json"), 401)


@pytest.mark.parametrize("fault", WRONG_TOKENS)
def test_a_user_call_without_a_right_token_is_401(site: Site, user: str, fault: str) -> None:
    token = wrong_tokens(user, site.backend.secret)[fault]
    with UserApi(site.backend.base_url, token) as stranger:
        for answer in (
            stranger.inbox(), stranger.read(through=1), stranger.unread(["x"]), stranger.archive(["x"]),
        ):  # fmt: skip
            refused(answer, 401)


def test_another_scheme_is_401(site: Site) -> None:
    with BackendApi(site.backend.base_url, None) as api:
        for value in ("Basic dTpw", "Bearer", site.backend.api_key, f"bearer{site.backend.api_key}"):
            refused(api.post("/api/notifications", {}, {"Authorization": value}), 401)


def test_the_right_credentials_of_the_wrong_kind_are_403(site: Site, user: str) -> None:
    before = site.rows("notifications")
    with UserApi(site.backend.base_url, site.backend.token(user)) as as_user:
        stores_nothing(site, as_user.send(user), 403, before)
        stores_nothing(site, as_user.badge(user, "tasks", 1), 403, before)
        refused(as_user.notification(site.send(user)), 403)
    with UserApi(site.backend.base_url, site.backend.api_key) as as_backend:
        refused(as_backend.inbox(), 403)
        refused(as_backend.read(through=1), 403)


def test_a_token_of_another_secret_is_401_on_a_backend_call_too(site: Site, user: str) -> None:
    with BackendApi(site.backend.base_url, user_token(user, WRONG_SECRET)) as stranger:
        refused(stranger.send(user), 401)


@pytest.mark.parametrize(
    "query",
    [
        {"status": "new"}, {"status": ""}, {"limit": 0}, {"limit": -1}, {"limit": "many"},
        {"before": "x"}, {"before": -1}, {"before": 1.5}, {"before": 2**70}, {"limit": "1;drop"},
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_query_of_the_inbox_is_422(site: Site, user: str, query: dict[str, Any]) -> None:
    with site.user(user) as api:
        refused(api.inbox(**query), 422)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"ids": []}, {"ids": "x"}, {"ids": [7]}, {"ids": None}, {"ids": ["x"], "through": 1},
        {"through": -1}, {"through": "1"}, {"through": 1.5}, {"through": True}, {"through": 2**70}, [],
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_read_is_422(site: Site, user: str, body: Any) -> None:
    with site.user(user) as api:
        refused(api.post("/api/inbox/read", body), 422)
        for path in ("/api/inbox/unread", "/api/inbox/archive"):
            refused(api.post(path, body), 422)


def test_only_read_takes_through(site: Site, user: str) -> None:
    with site.user(user) as api:
        for path in ("/api/inbox/unread", "/api/inbox/archive"):
            refused(api.post(path, {"through": 1}), 422)


def test_unknown_addresses_and_methods_are_problems_too(site: Site) -> None:
    refused(site.api.get("/api/nothing"), 404)
    refused(site.api.get("/api/badges"), 405)
    refused(site.api.post("/api/inbox", {}), 405)
