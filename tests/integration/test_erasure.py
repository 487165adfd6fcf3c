"""Who is erased is gone: from every table, in steps; sums, other users and the audit stay as they were."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from models.erasure_rules import OWNED, RULES, Rule
from models.store import dispatch, erased, rejected, reports
from models.store import erase as store
from models.tables import metadata, notifications
from notifier.core.erasure import user_hash
from notifier.core.errors import NotFound
from notifier.outbox import recipients
from notifier.outbox.types import AnyRow
from tests.harness.world import Published, World
from usecases import erase as usecase
from usecases import export

WORD = "Zaubernuss-erika"


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecase, "SETTLE", 0.0)
    monkeypatch.setattr(usecase, "PAUSE", 0.0)


def erase(world: World, user: str = WORD, mail: Path = Path("nowhere"), **more: Any) -> usecase.Erased:
    return usecase.erase(world.database, Published(), user, mail=mail, **more)


def found(world: World, word: str) -> list[str]:
    """The tables and columns that hold a word anywhere."""
    places = []
    with world.database.read() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)).mappings():
                for name, value in row.items():
                    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    if word in text:
                        places.append(f"{table.name}.{name}: {text[:80]}")
    return places


def daily(world: World) -> list[AnyRow]:
    with world.database.read() as connection:
        return list(reports.daily(connection))


def fill(world: World) -> dict[str, str]:
    """Give the user a row in every table; return ids of some notifications."""
    ids = {"single": world.send(WORD), "both": world.send(WORD, "bob"), "read": world.send(WORD, "bob")}
    world.badge(WORD, "tasks", 3)
    world.dispatch()
    world.read(WORD, ids["read"])
    world.read_through(WORD, 1)
    ids["waiting"] = world.send(WORD)
    ids["waiting both"] = world.send("bob", WORD, "cid")
    later = world.now + timedelta(days=900)
    with world.database.write() as connection:
        number = world.notification(ids["both"]).number
        user = {"user_id": WORD}
        recipients.put(connection, WORD, {"name": "Erika", "email": "e@x.example"}, now=world.now)
        rejected.keep(
            connection, reason="no", headers={"task": "x", "argsrepr": f"('{WORD}',)"}, content_type="x",
            body=f'[["{WORD}"], {{}}]'.encode(), now=world.now,
        )  # fmt: skip
        rejected.keep(connection, reason="no", headers={}, content_type="x", body=b"[]", now=world.now)
        both = world.notification(ids["both"]).id
        rows: dict[str, dict[str, Any]] = {
            "notifier_owed": {"number": number},
            "notifier_revocations": {"revoked_at": world.now},
            "notifier_devices": {
                "device": "phone", "window_from": 1, "log_from": 1, "socket": "s",
                "first_seen_at": world.now, "last_seen_at": world.now,
            },
            "notifier_sockets": {"id": "s", "gateway": "g", "opened_at": world.now, "head": 1},
            "notifier_reach": {
                "notification_id": both, "channel": "email", "address_id": 1, "category": "general",
                "state": "waiting", "required": False, "due_at": later, "next_at": later,
            },
        }  # fmt: skip
        for name, row in rows.items():
            connection.execute(sa.insert(metadata.tables[name]), user | row)
    return ids


def test_every_column_of_every_table_has_a_rule() -> None:
    tables = {name: set(table.c.keys()) for name, table in metadata.tables.items()}
    assert {name: set(rules) for name, rules in RULES.items()} == tables
    for name, table in metadata.tables.items():
        owner = "user_id" in table.c
        assert owner == (name in OWNED), f"{name}: who owns a row?"
        for column in table.c:
            if column.name in ("user_id", "recipient", "audience"):
                assert RULES[name][column.name] is not Rule.OTHER


def test_no_table_holds_the_id_and_the_others_keep_what_is_theirs(world: World, tmp_path: Path) -> None:
    ids = fill(world)
    before, bob = daily(world), world.log("bob")
    filled = {place.partition(".")[0] for place in found(world, WORD)}
    assert filled >= set(OWNED) - {"notifier_suppressed"} | {"notifier_rejected_messages"}
    mail = tmp_path / "mail"
    mail.mkdir()
    (mail / "a.eml").write_text("To: e@x.example\n\nhello")
    (mail / "b.eml").write_text("To: bob@x.example\n\nhello")
    (mail / "c.eml").write_text("To: Joe <joe@x.example>\n\nhello")  # another address that ends as theirs
    done = erase(world, mail=mail)
    assert found(world, WORD) == []
    assert sorted(path.name for path in mail.iterdir()) == ["b.eml", "c.eml"]
    assert done.left == 0
    assert done.counts["entries"] >= 4
    assert done.counts["mails"] == 1
    assert daily(world) == before
    assert world.log("bob") == bob
    for kind in ("single", "waiting"):
        with world.database.read() as connection:
            assert not connection.execute(sa.select(notifications.c.id).filter_by(id=ids[kind])).first()
    assert world.notification(ids["waiting both"]).audience == ["bob", None, "cid"]
    assert world.notification(ids["both"]).erased_reached == 1
    world.dispatch()
    assert world.notification(ids["waiting both"]).state == "dispatched"
    assert world.violations() == []


def test_twice_is_once_and_what_comes_later_is_a_new_log(world: World) -> None:
    world.arrive(WORD, 3)
    erase(world)
    with world.database.read() as connection:
        first = erased.find(connection, WORD)
    assert erase(world).counts == {}
    with world.database.read() as connection:
        assert erased.find(connection, WORD) == first
    assert first
    assert world.snapshot(WORD, 3).reset
    id = world.send(WORD)
    world.dispatch()
    (entry,) = world.log(WORD, first.base)
    assert (entry.id, entry.seq, entry.unread) == (id, first.base + 1, 1)
    for after in (0, 1, 3, 4, 50):
        assert world.snapshot(WORD, after).reset
    assert world.snapshot(WORD, first.base + 1).reset is None
    assert world.violations() == []
    erase(world)
    assert found(world, WORD) == []
    with world.database.read() as connection:
        second = erased.find(connection, WORD)
    assert second
    assert second.base > first.base + 1
    world.arrive(WORD)
    assert world.snapshot(WORD, first.base + 1).reset
    assert world.violations() == []


def test_a_broadcast_passes_over_the_places_of_the_erased(world: World) -> None:
    users = [f"user-{n:03}" for n in range(150)]
    id = world.send(*users)
    size = 40

    def chunk() -> None:
        moment = world.tick()
        world.database.run(lambda c: dispatch.dispatch_chunk(c, id, size=size, now=moment))

    chunk()
    for user in ("user-000", "user-039", "user-040", "user-100", "user-149"):
        erase(world, user)
        assert world.violations() == []
    while world.notification(id).state != "dispatched":
        chunk()
        assert world.violations() == []
    row = world.notification(id)
    assert (row.reached, row.erased, row.erased_reached) == (147, 3, 2)
    assert found(world, "user-040") == []
    with world.database.read() as connection:
        assert not connection.scalar(
            sa.text("SELECT count(*) FROM notifier_deliveries WHERE user_id = 'user-040'")
        )


def test_a_single_and_all_of_an_audience_may_be_erased(world: World) -> None:
    scheduled = world.send("ann", "bob", deliver_at=None)
    for user in ("ann", "bob"):
        erase(world, user)
    world.dispatch()
    row = world.notification(scheduled)
    assert (row.state, row.reached, row.erased) == ("dispatched", 0, 2)
    assert world.violations() == []


def test_it_stops_in_time_and_goes_on(world: World) -> None:
    world.arrive(WORD, 30)
    seen: list[dict[str, int]] = []
    usecase_rows, usecase.ROWS = usecase.ROWS, 7
    try:
        done = erase(world, seconds=0.0, progress=lambda counts: seen.append(dict(counts)))
        assert done.left > 0
        assert world.violations() == []
        while done.left:
            done = erase(world, seconds=0.0)
            assert world.violations() == []
    finally:
        usecase.ROWS = usecase_rows
    assert seen[0]["entries"] == 7
    assert found(world, WORD) == []


def test_the_hash_is_not_the_plain_one() -> None:
    import hashlib

    assert user_hash("ann") != hashlib.sha256(b"ann").hexdigest()
    assert len(user_hash("ann")) == 64


def test_nothing_left_is_said_for_a_stranger(world: World) -> None:
    assert erase(world, "stranger") == usecase.Erased({})
    with world.database.read() as connection:
        assert store.left(connection, "stranger") == {}
        assert erased.find(connection, "stranger")


def test_an_export_has_all_that_is_stored(world: World) -> None:
    ids = fill(world)
    out = io.BytesIO()
    export.write(world.database, WORD, out)
    told = orjson.loads(out.getvalue())
    assert told["user_id"] == WORD
    with world.database.read() as connection:
        for name in OWNED:
            table = metadata.tables[name]
            mine = sa.select(table).where(table.c.user_id == WORD).order_by(*table.primary_key.columns)
            stored = [{str(k): v for k, v in row.items()} for row in connection.execute(mine).mappings()]
            assert told[name.removeprefix("notifier_")] == orjson.loads(orjson.dumps(stored, default=str))
        every = {row["id"]: dict(row) for row in connection.execute(sa.select(notifications)).mappings()}
    assert {row["id"] for row in told["notifications"]} >= set(ids.values())
    for row in told["notifications"]:
        its = {str(name): value for name, value in every[row["id"]].items() if name != "audience"}
        assert row == orjson.loads(orjson.dumps(its, default=str))
    assert "cid" not in out.getvalue().decode()
    erase(world)
    with pytest.raises(NotFound):
        export.write(world.database, WORD, io.BytesIO())
