"""The support desk: search, the page of a user and of a notification, the same for machines; both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.store import desk, devices, failures
from models.store.devices import Joined
from models.tables import suppressed
from notifier import send
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from tests.harness.world import World, real_time_world, settings
from usecases import recipients
from web.app import create_app
from web.runtime import EXTENSION

KEYS = "admin:admin+report+send:the-key-of-admins,report:report:the-key-that-reports"
SECRET = "a-secret-for-tests-only-0123456789abcdef"
HOME = {"Origin": "http://localhost"}
USER = "a/b <i>*#日本"


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Iterator[Flask]:
    url = database.engine.url.render_as_string(hide_password=False)
    app = create_app(settings(var_dir=tmp_path, database_url=url, demo=False, api_keys=KEYS, secret=SECRET))
    yield app
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return signed_in(app, "the-key-of-admins")


@pytest.fixture
def world(database: Database) -> World:
    return real_time_world(database)


def signed_in(app: Flask, key: str) -> FlaskClient:
    client = app.test_client()
    assert client.post("/reports/sign-in", data={"key": key}, headers=HOME).status_code == 303
    return client


def report(client: FlaskClient, **query: Any) -> Any:
    answer = client.get(
        "/api/reports/users", query_string=query, headers={"Authorization": "Bearer the-key-that-reports"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json


# ---------------------------------------------------------------------- search


def test_a_user_id_and_a_notification_id_lead_to_their_pages(client: FlaskClient, world: World) -> None:
    id = world.send(USER)
    world.dispatch()
    found = client.get("/reports/search", query_string={"q": f" {USER} "})
    assert found.location.startswith("/reports/users?user_id=a/b+%3Ci%3E")
    found = client.get(found.location)
    assert "&lt;i&gt;*#日本" in found.text
    assert "<i>*#" not in found.text
    found = client.get("/reports/search", query_string={"q": id, "since": "2026-01-02"})
    assert found.location.startswith(f"/reports/notifications/{id}?since=2026-01-02&")


def test_a_word_of_a_title_is_found_in_either_case_and_nothing_withdrawn(
    client: FlaskClient, world: World
) -> None:
    shown = world.send(USER, title="Größe <b>ÄNDERUNG</b>")
    gone = world.send(USER, title="Änderung that was wrong")
    world.send(USER, title="Another")
    world.dispatch()
    world.cancel(gone)
    page = client.get("/reports/search?q=änderung").text
    assert "Größe &lt;b&gt;ÄNDERUNG" in page
    assert f"/reports/notifications/{shown}" in page
    assert gone not in page
    assert "newest" in page
    assert "No title has this word" in client.get("/reports/search?q=100%25_x").text


def test_devices_and_addresses_of_a_user_are_told_to_machines(client: FlaskClient, world: World) -> None:
    world.send(USER)
    world.dispatch()
    joined = Joined(USER, "phone", "socket", None, 1, 0, None)
    world.database.run(lambda connection: devices.joined(connection, [joined], now=world.now))
    recipients.put(world.database, USER, {"email": "ann@example.org"})
    told = report(client, user_id=USER)
    assert [one["device"] for one in told["devices"]] == ["phone"]
    assert [one["address"] for one in told["addresses"]] == ["ann@example.org"]


@pytest.mark.parametrize("text", ["x" * 201, "a\0b"])
def test_a_search_that_cannot_be_is_refused(client: FlaskClient, text: str) -> None:
    assert client.get("/reports/search", query_string={"q": text}).status_code == 422
    assert client.get("/reports/users", query_string={"user_id": text}).status_code == 422


def test_titles_are_searched_among_the_newest_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.send(USER, title="an old parcel")
    new = world.send(USER, title="a new parcel")
    monkeypatch.setattr(desk, "NEWEST", 1)
    with world.database.read() as connection:
        assert [row.id for row in desk.titled(connection, "PARCEL")] == [new]


# ---------------------------------------------------------------------- a user


def test_each_entry_says_why(client: FlaskClient, world: World) -> None:
    unread, read, archived, snoozed, retracted, replaced = world.arrive(USER, 6)
    del replaced
    older = world.send(USER, collapse_key="k")
    world.dispatch()
    world.send(USER, collapse_key="k")
    world.dispatch()
    world.read(USER, read)
    world.archive(USER, archived)
    world.snooze(USER, snoozed, until=now() + timedelta(hours=1))
    world.cancel(retracted)
    why = {one["id"]: one["why"] for one in report(client, user_id=USER)["entries"]}
    assert why[unread] == "Not delivered: no device is known to have been connected, then or since."
    assert why[read].startswith("Read at ")
    assert why[archived].startswith("Archived by the user at ")
    assert why[snoozed].startswith("Snoozed by the user until ")
    assert why[retracted].startswith("Retracted at ")
    assert "No device had it before" in why[retracted]
    assert why[older].startswith("Replaced by a newer one")
    page = client.get("/reports/users", query_string={"user_id": USER}).text
    for sentence in why.values():
        assert sentence.replace("'", "&#39;") in page


def test_what_is_not_in_the_inbox_says_why_too(client: FlaskClient, world: World) -> None:
    off = world.send("u2")
    world.dispatch()
    since = now() - timedelta(days=1)
    values = {"notification_id": off, "user_id": USER, "since": since, "at": now()}
    world.database.run(lambda c: c.execute(suppressed.insert().values(values)))
    dead = world.send(USER)
    number, at = world.notification(dead).number, now()
    world.database.run(
        lambda c: failures.postpone(c, number, "ValueError: <x>", now=at, delay=timedelta(0), max_attempts=1)
    )
    waiting = world.send("u2", USER)
    scheduled = world.send(USER, deliver_at=(now() + timedelta(days=2)))
    world.send("u2")
    found = {one["id"]: one for one in report(client, user_id=USER)["outside"]}
    assert {id: one["state"] for id, one in found.items()} == {
        off: "switched off", dead: "dead", waiting: "accepted", scheduled: "scheduled",
    }  # fmt: skip
    assert f"the user switched it off at {since:%Y-%m-%d %H:%M:%S} UTC" in found[off]["why"]
    assert found[scheduled]["why"].startswith("Scheduled for ")
    page = client.get("/reports/users", query_string={"user_id": USER}).text
    assert "ValueError: &lt;x&gt;" in page


def test_entries_are_paged_by_seq_in_both_directions(client: FlaskClient, world: World) -> None:
    world.arrive(USER, 45)
    first = report(client, user_id=USER, limit=20)
    second = report(client, user_id=USER, limit=20, before=first["next"])
    third = report(client, user_id=USER, limit=20, before=second["next"])
    seqs = [one["seq"] for page in (first, second, third) for one in page["entries"]]
    assert seqs == list(range(45, 0, -1))
    assert third["next"] is None
    page = client.get("/reports/users", query_string={"user_id": USER, "before": 26}).text
    assert "after=25" in page
    assert "before=6" in page
    page = client.get("/reports/users", query_string={"user_id": USER, "after": 25}).text
    assert "after=" not in page
    assert "before=26" in page


def test_an_unknown_user_is_told_so(client: FlaskClient) -> None:
    answer = client.get("/reports/users?user_id=nobody")
    assert answer.status_code == 404
    assert "nothing is known of this user" in answer.text


# ---------------------------------------------------------------------- a notification


def test_a_notification_says_what_it_says_and_who_has_it(client: FlaskClient, world: World) -> None:
    users = [f"u{number:02}" for number in range(45)]
    id = world.send(*users, title="<b>All of you</b>")
    world.dispatch()
    world.read("u07", id)
    address = f"/reports/notifications/{id}"
    page = client.get(address).text
    assert "&lt;b&gt;All of you&lt;/b&gt;" in page
    assert "20 of 45" in page
    assert "after=u19" in page
    page = client.get(address, query_string={"after": "u19", "state": "not-delivered"}).text
    assert "20 of 44" in page
    assert "before=u20" in page
    page = client.get(address, query_string={"before": "u20"}).text
    assert ">u00<" in page
    assert ">u20<" not in page
    assert "1 of 1" in client.get(address, query_string={"state": "read"}).text
    assert "Nobody" in client.get(address, query_string={"state": "switched-off"}).text


def test_it_is_retracted_by_a_form_of_ours_and_the_right_key_only(
    app: Flask, client: FlaskClient, world: World
) -> None:
    id = world.send(USER)
    world.dispatch()
    address = f"/reports/notifications/{id}/cancel"
    assert client.post(address, headers={"Origin": "http://elsewhere"}).status_code == 403
    reporter = signed_in(app, "the-key-that-reports")
    assert reporter.post(address, headers=HOME).status_code == 403
    assert "Retract" not in reporter.get(f"/reports/notifications/{id}").text
    assert "Retract it for all 1 recipient<" in client.get(f"/reports/notifications/{id}").text
    answer = client.post(f"{address}?since=2026-01-02", headers=HOME)
    assert answer.status_code == 303
    assert "since=2026-01-02" in answer.location
    assert "taken back from everybody" in client.get(answer.location).text
    assert world.notification(id).state == "retracted"
    assert "Retract it" not in client.get(f"/reports/notifications/{id}").text
