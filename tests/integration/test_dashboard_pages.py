"""Who may open the dashboard, from which site, and what they may do; on both databases."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner
from werkzeug.test import TestResponse

from models.store import ended_sessions, failures
from notifier import send
from notifier.outbox.engine import Database
from notifier.tokens import Tokens
from tests.harness.world import World, real_time_world, settings
from web.app import create_app
from web.dashboard import sessions
from web.dashboard.sessions import COOKIE, PATH
from web.runtime import EXTENSION

KEY, OTHER = "the-first-key-of-two", "the-second-key-of-two"
SECRET = "a-secret-for-tests-only-0123456789abcdef"
HOME = {"Origin": "http://localhost"}


def make(database: Database, folder: Path, **given: Any) -> Flask:
    url = database.engine.url.render_as_string(hide_password=False)
    given = {"api_keys": f"{KEY},{OTHER}", "secret": SECRET, **given}
    return create_app(settings(var_dir=folder, database_url=url, demo=False, **given))


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Iterator[Flask]:
    app = make(database, tmp_path)
    yield app
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


@pytest.fixture
def visitor(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def operator(visitor: FlaskClient) -> FlaskClient:
    assert enter(visitor).status_code == 303
    return visitor


@pytest.fixture
def world(database: Database) -> World:
    return real_time_world(database)


def enter(client: FlaskClient, key: str = KEY, **headers: str) -> TestResponse:
    return client.post("/reports/sign-in", data={"key": key}, headers=HOME | headers)


def die(world: World, user: str = "u1", error: str = "ValueError: no") -> str:
    id = world.send(user)
    number = world.notification(id).number
    world.database.run(
        lambda c: failures.postpone(c, number, error, now=world.now, delay=timedelta(0), max_attempts=1)
    )
    return id


# ---------------------------------------------------------------------- in and out


def test_embedded_the_key_that_was_made_opens_it(sqlite_database: Database, tmp_path: Path) -> None:
    app = make(sqlite_database, tmp_path, api_keys="")
    client = app.test_client()
    assert enter(client, "another-key-than-the-one-in-the-file").status_code == 401
    assert enter(client, (tmp_path / "api-key").read_text().strip()).status_code == 303
    assert client.get("/reports").status_code == 200
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


def test_every_page_but_the_sign_in_and_its_files_is_closed(app: Flask) -> None:
    access = {
        rule.rule: getattr(app.view_functions[rule.endpoint], "access", None)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/reports")
    }
    assert {rule for rule, who in access.items() if who != "operator"} == {
        "/reports/sign-in",
        "/reports/assets/<name>",
    }
    assert set(access.values()) == {"operator", "open"}


def test_everything_leads_to_the_sign_in(visitor: FlaskClient) -> None:
    for path in ("/reports", "/reports/dead.csv", "/reports/notifications/7"):
        answer = visitor.get(path, headers={"Authorization": f"Bearer {KEY}"})
        assert (answer.status_code, answer.location) == (303, "/reports/sign-in")
    for path in ("/reports/dead/7/replay", "/reports/dead/7/drop", "/reports/sign-out"):
        assert visitor.post(path, headers=HOME).location == "/reports/sign-in"


def test_the_cookie_is_for_this_site_and_not_for_scripts_and_has_no_key(visitor: FlaskClient) -> None:
    cookie = enter(visitor).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/reports"} <= set(cookie.split("; "))
    assert "Secure" not in cookie.split("; ")
    assert KEY not in cookie
    secure = visitor.post(
        "/reports/sign-in",
        data={"key": KEY},
        base_url="https://localhost",
        headers={"Origin": "https://localhost"},
    )
    assert "Secure" in secure.headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize("wrong", ["", "wrong", KEY[:-1], f"{KEY},{OTHER}"])
def test_a_wrong_key_does_not_open_it(visitor: FlaskClient, wrong: str) -> None:
    answer = enter(visitor, wrong)
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert visitor.get("/reports").status_code == 303


def test_a_users_token_does_not_open_it(visitor: FlaskClient) -> None:
    token = Tokens(SECRET).mint("u1", 60)
    assert enter(visitor, token).status_code == 401
    visitor.set_cookie("notifier_reports", token, path="/reports")
    assert visitor.get("/reports").status_code == 303


def test_a_key_without_the_scope_report_does_not_open_it_and_without_admin_does_nothing(
    database: Database, tmp_path: Path, world: World
) -> None:
    keys = "shop:send:key-of-shop,boss:admin:key-of-boss,bi:report:key-of-bi,ops:report+admin:key-of-ops"
    app = make(database, tmp_path, api_keys=keys)
    for key in ("key-of-shop", "key-of-boss"):
        assert enter(app.test_client(), key).status_code == 401, key
    id = die(world)
    reader, doer = app.test_client(), app.test_client()
    enter(reader, "key-of-bi")
    page = reader.get("/reports").text
    assert id in page
    assert "Replay" not in page
    for path in ("replay", "drop"):
        assert reader.post(f"/reports/dead/{id}/{path}", headers=HOME).status_code == 403
    assert world.notification(id).state == "dead"
    enter(doer, "key-of-ops")
    assert doer.post(f"/reports/dead/{id}/replay", headers=HOME).status_code == 303
    assert world.notification(id).state == "accepted"
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


def test_each_key_opens_it_and_signing_out_closes_it(visitor: FlaskClient) -> None:
    enter(visitor, OTHER)
    assert visitor.get("/reports").status_code == 200
    assert visitor.get("/reports/sign-in").location == "/reports"
    assert visitor.post("/reports/sign-out", headers=HOME).location == "/reports/sign-in"
    assert visitor.get("/reports").status_code == 303


@pytest.mark.parametrize(("hours", "status"), [(11, 200), (13, 303)])
def test_a_session_ends_after_twelve_hours(
    operator: FlaskClient, monkeypatch: pytest.MonkeyPatch, hours: int, status: int
) -> None:
    later = int(time.time()) + hours * 3600
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: later)
    assert operator.get("/reports").status_code == status


def test_a_session_ends_with_its_key(
    operator: FlaskClient, app: Flask, database: Database, tmp_path: Path
) -> None:
    cookie = operator.get_cookie("notifier_reports", path="/reports")
    assert cookie is not None
    for given, status in (({"api_keys": OTHER}, 303), ({"secret": SECRET[::-1]}, 303), ({}, 200)):
        other = make(database, tmp_path, **given)
        client = other.test_client()
        client.set_cookie("notifier_reports", cookie.value, path="/reports")
        assert client.get("/reports").status_code == status, given
        other.extensions[EXTENSION].database.dispose()
    send.use(app.extensions[EXTENSION].sender)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_of_another_site_does_nothing(
    operator: FlaskClient, world: World, headers: dict[str, str]
) -> None:
    id = die(world)
    for path in (f"dead/{id}/replay", f"dead/{id}/drop", "sign-out", "sign-in"):
        answer = operator.post(f"/reports/{path}", data={"key": KEY}, headers=HOME | headers)
        assert answer.status_code == 403, path
        assert "Set-Cookie" not in answer.headers
    assert world.notification(id).state == "dead"


def test_no_page_allows_anything_inline_or_from_elsewhere(operator: FlaskClient, world: World) -> None:
    id = world.send("u1")
    for path in ("", "/notifications/" + id, "/assets/dashboard.js", "/dead.csv", "/nothing.csv"):
        with operator.get(f"/reports{path}") as answer:
            policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'")
    for path in ("", f"/notifications/{id}"):
        page = operator.get(f"/reports{path}")
        assert "style=" not in page.text
        assert "<script>" not in page.text
        assert page.headers["Cache-Control"] == "no-store"


# ---------------------------------------------------------------------- looking and doing


def test_an_empty_page_says_so(operator: FlaskClient) -> None:
    page = operator.get("/reports")
    assert page.status_code == 200
    for words in ("Nothing in these days.", "Nothing is dead.", "Nothing waits.", "Nobody is connected."):
        assert words in page.text


@pytest.mark.parametrize(
    "query",
    [
        "since=nonsense",
        "since=2026-13-01&until=x",
        "since=2999-01-01&until=1999-01-01",
        "stage=x",
        "since=0001-01-01",
        "until=9999-12-31",
        "since=1000-01-01&until=9000-01-01",
    ],
)
def test_an_invalid_range_says_so_and_shows_the_last_seven_days(operator: FlaskClient, query: str) -> None:
    page = operator.get(f"/reports?{query}")
    assert page.status_code == 200
    answer = operator.get(f"/reports/over-time.csv?{query}")
    if query == "stage=x":
        assert answer.status_code == 200
        assert 'role="alert"' not in page.text
    else:
        assert answer.status_code == 422
        assert 'role="alert"' in page.text


def test_replay_queues_it_and_drop_deletes_it(operator: FlaskClient, world: World) -> None:
    first, second = die(world), die(world)
    answer = operator.post(f"/reports/dead/{first}/replay", headers=HOME)
    assert answer.status_code == 303
    assert "It waits again" in operator.get(answer.location).text
    assert world.notification(first).state == "accepted"
    assert (
        "nothing was done"
        in operator.get(operator.post(f"/reports/dead/{first}/replay", headers=HOME).location).text
    )
    answer = operator.post(f"/reports/dead/{second}/drop", headers=HOME)
    assert "It is dropped." in operator.get(answer.location).text
    assert operator.get(f"/reports/notifications/{second}").status_code == 404
    assert (
        "cannot be dropped"
        in operator.get(operator.post(f"/reports/dead/{first}/drop", headers=HOME).location).text
    )
    assert operator.post("/reports/dead/nonsense/replay", headers=HOME).status_code == 404


def test_foreign_text_is_escaped_and_never_a_formula(operator: FlaskClient, world: World) -> None:
    die(world, error="<script>alert(1)</script>")
    die(world, error="=HYPERLINK(1)")
    page = operator.get("/reports").text
    assert "<script>alert" not in page
    rows = list(csv.DictReader(io.StringIO(operator.get("/reports/dead.csv").text)))
    assert [row["error"] for row in rows] == ["'=HYPERLINK(1)", "<script>alert(1)</script>"]


def test_csv_has_every_figure(operator: FlaskClient, world: World) -> None:
    world.arrive("u1", 3)
    today = world.now.date().isoformat()
    for name in (
        "over-time",
        "funnel",
        "latency",
        "stages",
        "slowest",
        "undelivered",
        "waiting",
        "dead",
        "connected",
    ):
        answer = operator.get(f"/reports/{name}.csv")
        assert answer.status_code == 200, name
        assert answer.content_type == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{name}-')
    [row] = csv.DictReader(io.StringIO(operator.get(f"/reports/over-time.csv?since={today}").text))
    assert row == {"day": today, "sent": "3", "delivered": "0", "read": "0"}
    assert operator.get("/reports/nothing.csv").status_code == 404


def test_a_notifications_timeline_has_its_page(operator: FlaskClient, world: World) -> None:
    [id] = world.arrive("u1")
    page = operator.get(f"/reports/notifications/{id}")
    assert "No socket is known of that was open" in page.text
    assert operator.get(f"/reports/notifications/{id}?user_id=stranger").status_code == 404
    assert operator.get("/reports/notifications/nonsense").status_code == 404


def test_the_timeline_of_one_that_waits_asks_the_broker(operator: FlaskClient, world: World) -> None:
    """The file broker is always available; no socket has made this process connect."""
    page = operator.get(f"/reports/notifications/{world.send('u1')}")
    assert "The broker answers: is a worker running?" in page.text


def test_a_database_outage_is_shown_as_a_page(
    operator: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from notifier.core.errors import DatabaseUnavailable

    def away(*_: object) -> None:
        raise DatabaseUnavailable("the database does not answer")

    monkeypatch.setattr("web.dashboard.figures.page", away)
    answer = operator.get("/reports")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "the database does not answer" in answer.text


def test_a_list_says_how_many_there_are_and_its_csv_has_them_all(
    operator: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.dashboard.list_page.PIECE", 7)
    ids = [die(world, error=f"@{number}\t=") for number in range(45)][::-1]
    days = "since=2026-01-02&until=2026-01-03&stage=accepted_to_delivered"
    page = operator.get(f"/reports?{days}").text
    assert "20 of 45" in page
    older = re.search(r'href="(/reports/lists/dead[^"]*)#dead">Older<', page)
    assert older
    second = operator.get(unescape(older[1])).text
    assert f'href="/reports?{days.replace("&", "&amp;")}#dead">Back' in second
    assert all(id in second for id in ids[20:40])
    assert ids[19] not in second
    assert ">Newer<" in second
    rows = list(csv.DictReader(io.StringIO(operator.get("/reports/dead.csv").text)))
    assert [row["id"] for row in rows] == ids
    assert rows[0]["error"] == "'@44\t="


@pytest.mark.parametrize("cursor", ["x", "bnVsbA==", "W2ZhbHNlLFsieCJdXQ==", "W2ZhbHNlLFtdXQ=="])
def test_a_cursor_that_is_none_is_refused(operator: FlaskClient, cursor: str) -> None:
    assert operator.get(f"/reports/lists/dead?cursor={cursor}").status_code == 422
    assert operator.get("/reports/lists/nothing").status_code == 404


def test_a_wrong_address_is_a_page_for_a_browser_and_a_problem_for_machines(visitor: FlaskClient) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    page = visitor.get("/reprots/<b>", headers=browser)
    assert (page.status_code, page.content_type) == (404, "text/html; charset=utf-8")
    assert "<b>" not in page.text
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json, text/html;q=0.5"}):
        assert visitor.get("/reprots", headers=accept).content_type == "application/problem+json"


# ---------------------------------------------------------------------- the end of a session, and guesses


def stolen(visitor: FlaskClient) -> str:
    """Return a copy of the cookie."""
    cookie = visitor.get_cookie(COOKIE, path=PATH)
    assert cookie is not None
    return cookie.value


def with_cookie(app: Flask, value: str) -> int:
    """Return the page's answer to a client with this cookie."""
    client = app.test_client()
    client.set_cookie(COOKIE, value, path=PATH)
    return client.get("/reports").status_code


def test_a_copy_of_the_cookie_ends_at_sign_out_in_every_process(
    app: Flask, database: Database, tmp_path: Path, operator: FlaskClient
) -> None:
    copy, another_process = stolen(operator), make(database, tmp_path)
    assert with_cookie(app, copy) == with_cookie(another_process, copy) == 200
    assert operator.post("/reports/sign-out", headers=HOME).status_code == 303
    assert operator.get("/reports").status_code == 303
    assert with_cookie(app, copy) == with_cookie(another_process, copy) == 303
    another_process.extensions[EXTENSION].database.dispose()


def test_other_sessions_of_the_key_stay_valid(app: Flask, operator: FlaskClient) -> None:
    other = app.test_client()
    assert enter(other).status_code == 303
    operator.post("/reports/sign-out", headers=HOME)
    assert other.get("/reports").status_code == 200
    assert enter(operator).status_code == 303
    assert operator.get("/reports").status_code == 200


def test_ended_sessions_are_deleted_when_their_cookies_expire(
    database: Database, operator: FlaskClient
) -> None:
    old = datetime(2026, 1, 1, tzinfo=UTC)
    with database.write() as connection:
        ended_sessions.end(connection, "old", until=old, now=old)
        assert ended_sessions.has_ended(connection, "old")
        ended_sessions.end(connection, "old", until=old, now=old)  # a second time changes nothing
    operator.post("/reports/sign-out", headers=HOME)
    with database.read() as connection:
        assert not ended_sessions.has_ended(connection, "old")


def test_a_cookie_of_the_version_before_is_not_a_session(app: Flask) -> None:
    with app.test_request_context():
        runtime = app.extensions[EXTENSION]
        key = next(iter(runtime.keys))
        value = sessions._serializer(runtime).dumps(sessions._mark(runtime, key))
    assert with_cookie(app, value if isinstance(value, str) else value.decode()) == 303


def test_wrong_sign_ins_are_limited(app: Flask, visitor: FlaskClient) -> None:
    assert [enter(visitor, f"wrong-{number}").status_code for number in range(12)] == [401] * 10 + [429] * 2
    refused = enter(visitor)  # the right key, too late
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    answer = app.test_client().post(
        "/reports/sign-in", data={"key": KEY}, headers=HOME, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}
    )
    assert answer.status_code == 303
