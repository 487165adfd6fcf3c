"""After the 200 nothing that is read carries the body: every route that is read from, and every command.

The routes are taken from the application, so that a new one is tried too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from cli.main import main
from notifier import send
from notifier.outbox.engine import Database
from tests.harness.tokens import user_token
from tests.harness.world import World, alert, real_time_world, settings
from web.app import create_app
from web.runtime import EXTENSION

KEY, SECRET = "the-key-of-these-tests", "a-secret-for-tests-only-0123456789abcdef"
USER, OTHER = "u1", "u2"
#: Of a text that was never changed, and of two versions of one that was.
SAID = ("Plainly wrong", "Wrong at first", "Wrong again")
LISTS = ("daily", "notifications", "devices", "dead", "waiting")
QUERIES = (
    "",
    f"?user_id={USER}",
    "?status=unread",
    "?status=archived",
    "?status=snoozed",
    f"?q={USER}",
    "?q=wrong",
)
STREAMED = ("/ws", "/client/", "/reports/assets")


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Iterator[Flask]:
    url = database.engine.url.render_as_string(hide_password=False)
    app = create_app(settings(var_dir=tmp_path, database_url=url, demo=False, api_keys=KEY, secret=SECRET))
    yield app
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


@pytest.fixture
def world(database: Database) -> World:
    return real_time_world(database)


def shown(app: Flask, ids: list[str]) -> dict[str, str]:
    """Return what every route that is read from shows of the user, of both ids and of the texts."""
    visitor = app.test_client()
    entered = visitor.post("/reports/sign-in", data={"key": KEY}, headers={"Origin": "http://localhost"})
    assert entered.status_code == 303
    mine = {"Authorization": f"Bearer {user_token(USER, SECRET)}"}
    key = {"Authorization": f"Bearer {KEY}"}
    found: dict[str, str] = {}
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.rule.startswith(STREAMED) or rule.websocket:
            continue
        for id in ids if "id>" in rule.rule else ids[:1]:
            path = rule.rule.replace("<not_batch:id>", id).replace("<id>", id)
            for name in LISTS if "name>" in rule.rule else LISTS[:1]:
                for query in QUERIES if path in ("/api/inbox", "/reports/search") else QUERIES[:2]:
                    for headers in (mine, key) if path.startswith("/api") else (None,):
                        at = path.replace("<name>", name) + query
                        answer = visitor.get(at, headers=headers)
                        text = answer.text
                        answer.close()
                        assert answer.status_code < 500, (at, text)
                        if answer.status_code == 200:
                            found[f"{at} {'user' if headers is mine else 'key'}"] = text
    return found


def commands(database: Database, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return what the commands say."""
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", database.engine.url.render_as_string(hide_password=False))
    asked = [
        ["inbox", USER], ["inbox", USER, "--json"], ["recipient", "export", USER], ["dead", "list"],
        ["report", "notifications", "--format", "json"], *(["explain", id] for id in ids),
        *(["explain", id, "--user", USER] for id in ids),
    ]  # fmt: skip
    said = {}
    for words in asked:
        done = CliRunner().invoke(main, words)
        said[" ".join(words)] = done.output
    return said


@pytest.mark.parametrize("how", ["retracted", "expired", "canceled dead"])
def test_nothing_that_is_read_carries_the_body(
    app: Flask, world: World, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [world.send(USER, OTHER, title=SAID[0]), world.send(USER, OTHER, title=SAID[1])]
    if how == "canceled dead":
        world.sql("UPDATE notifier_notifications SET state = 'dead', error = 'ValueError: no'")
    else:
        world.dispatch()
    world.update(ids[1], alert(SAID[2]))
    if how != "canceled dead":
        world.archive(USER, ids[0])
        while world.follow_up():
            pass
    before = shown(app, ids) | commands(world.database, ids, monkeypatch)
    for text in (SAID[0], SAID[2]):
        assert any(text in said for said in before.values()), "this test would see it"
    for id in ids:
        if how == "expired":
            world.expire(id)
        else:
            world.cancel(id)
    for told in (False, True):
        if told:
            world.follow_up()
        after = shown(app, ids) | commands(world.database, ids, monkeypatch)
        told_by = [path for path, said in after.items() if any(text in said for text in SAID)]
        assert told_by == []
