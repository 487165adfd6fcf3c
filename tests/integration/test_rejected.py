"""Rejected messages: bounded in number and in size, whatever is in them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import main
from models.store import rejected
from notifier.outbox.engine import Database
from notifier.outbox.types import AnyRow, now
from usecases import retention


def keep(database: Database, body: bytes = b"[]", **given: Any) -> str:
    what = {"reason": "not JSON", "headers": {"task": "t"}, "content_type": "application/json", "now": now()}
    return database.run(lambda c: rejected.keep(c, body=body, **(what | given)))


def kept(database: Database) -> list[AnyRow]:
    with database.read() as connection:
        return list(rejected.rejected(connection))


def shown(database: Database, id: str) -> AnyRow:
    with database.read() as connection:
        found = rejected.one(connection, id)
    assert found is not None
    return found


def test_the_newest_are_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejected, "KEPT", 3)
    ids = [keep(database) for _ in range(5)]
    assert [row.id for row in kept(database)] == ids[2:]


def test_a_big_body_is_kept_as_its_beginning_and_its_size(database: Database) -> None:
    kept = shown(database, keep(database, b"x" * (rejected.MAX_BODY + 1)))
    assert (kept.bytes, kept.body) == (rejected.MAX_BODY + 1, b"x" * rejected.MAX_BODY)


@pytest.mark.parametrize(
    "text",
    ["\0", "\x1b[2J", "\ud800", "x" * 10_000, ["os.system"], {"a": 1}, 7, "\N{RIGHT-TO-LEFT OVERRIDE}"],
)
def test_texts_are_kept_in_printable_form(database: Database, text: Any) -> None:
    id = keep(database, reason=str(text), content_type=text, headers={"task": text, "id": text})
    kept = shown(database, id)
    for written in (kept.reason, kept.content_type, kept.task):
        assert written.isprintable()
        assert 0 < len(written) <= rejected.MAX_TEXT
    assert len(kept.headers) <= rejected.MAX_HEADERS


@pytest.mark.parametrize("depth", [10, 5_000])
def test_headers_of_any_depth_are_kept_up_to_the_limit(database: Database, depth: int) -> None:
    headers: Any = {}
    for _ in range(depth):
        headers = {"x": headers}
    assert shown(database, keep(database, headers=headers)).headers.startswith("{")


def test_messages_older_than_the_retention_are_deleted(database: Database) -> None:
    present = now()
    keep(database, now=present - timedelta(days=3))
    young = keep(database, now=present)
    retention.step(database, before=present - timedelta(days=2), after="", now=present)
    assert [row.id for row in kept(database)] == [young]


def test_the_command_drops_one_or_all_and_says_which_it_does_not_know(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", database.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("NOTIFIER_BROKER_URL", "amqp://127.0.0.1:1//")

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["rejected", *words])
        return done.exit_code, done.output

    first, second = keep(database), keep(database)
    assert run("drop", first) == (0, f"{first}\n")
    assert run("drop", first)[0] == run("show", first)[0] == 1
    assert run("show", "7")[0] == run("drop")[0] == run("drop", second, "--all")[0] == 2
    assert json.loads(run("list")[1])["id"] == second
    assert run("drop", "--all") == (0, "dropped=1\n")
    assert kept(database) == []
