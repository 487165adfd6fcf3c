"""The reports over HTTP and by commands: `GET /api/reports/…`, `notifier report`, `purge` and `grant-reporting`."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from cli.main import main
from models.store import devices
from models.store.devices import Joined
from notifier import send
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.types import now
from tests.harness.world import World, real_time_world, settings
from web.app import create_app

KEY = "key-of-a-backend"
AUTH = {"Authorization": f"Bearer {KEY}"}
Run = Callable[..., Result]


def url(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


@pytest.fixture
def world(database: Database) -> World:
    """Three alerts and a badge, of which one user's are delivered and one is read."""
    world = real_time_world(database)
    ids = [world.send("u1", "日本") for _ in range(2)]
    world.badge("u1", "tasks", 3)
    world.dispatch()
    world.read("u1", ids[0])
    for user in ("u1", "日本"):
        moment = world.tick()
        world.database.run(
            lambda c, user=user, moment=moment: devices.joined(
                c, [Joined(user, "phone", "s", None, 1, 0, None)], now=moment
            )
        )
    return world


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[FlaskClient]:
    """The web application on that database."""
    secret = "x" * 32
    app = create_app(
        settings(
            database_url=url(database), broker_url="filesystem://", var_dir=tmp_path, secret=secret,
            api_keys=(KEY,), demo=False,
        )
    )  # fmt: skip
    yield app.test_client()
    app.extensions["notifier"].database.dispose()
    send.use(None)


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `notifier` on that database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", url(database))

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    return run


def get(api: FlaskClient, path: str) -> Any:
    answer = api.get(path, headers=AUTH)
    assert answer.status_code == 200, answer.json
    return answer.json


# ---------------------------------------------------------------------- HTTP


def test_the_daily_report(world: World, api: FlaskClient) -> None:
    today = world.now.date().isoformat()
    rows = get(api, "/api/reports/daily")
    assert [tuple(row.values())[:6] for row in rows] == [
        (today, "alert", "info", 4, 1, 1), (today, "badge", "tasks", 1, 0, 0),
    ]  # fmt: skip
    assert list(rows[0]) == ["day", "event", "type", "sent", "delivered", "read", "p50_ms", "p95_ms"]
    assert rows[0]["p50_ms"] == rows[0]["p95_ms"] > 0
    assert get(api, f"/api/reports/daily?since={today}&until={today}") == rows
    assert get(api, "/api/reports/daily?since=&until=") == rows
    assert get(api, "/api/reports/daily?since=1970-01-01&until=1970-01-02") == []
    assert get(api, "/api/reports/daily?since=0001-01-01&until=9999-12-31") == rows


@pytest.mark.parametrize(("name", "key"), [("notifications", "notification_id"), ("devices", "user_id")])
def test_a_long_report_leads_from_page_to_page(world: World, api: FlaskClient, name: str, key: str) -> None:
    whole = get(api, f"/api/reports/{name}?since=0001-01-01&until=9999-12-31")
    found: list[Any] = []
    path = f"/api/reports/{name}?limit=1&until=9999-12-31"
    while path:
        answer = api.get(path, headers=AUTH)
        found += answer.json or []
        path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert found == whole
    assert len({row[key] for row in whole}) == len(whole) > 1


def test_the_longest_user_and_device_can_be_paged_over(world: World, api: FlaskClient) -> None:
    user, moment = "\N{GRINNING FACE}" * 128, world.tick()
    for device in ("\x01" * 64, "\x01" * 63 + "\x02"):
        joined = Joined(user, device, "s", None, 1, 0, None)
        world.database.run(lambda c, joined=joined: devices.joined(c, [joined], now=moment))
    first = api.get("/api/reports/devices?limit=3&until=9999-12-31", headers=AUTH)
    path = first.headers["Link"].partition(">")[0].removeprefix("<")
    second = api.get(path, headers=AUTH)
    assert second.status_code == 200, second.json
    assert len(second.json or []) == 1


@pytest.mark.parametrize("name", ["daily", "notifications", "devices"])
@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("since=yesterday", "since"), ("since=2026-13-01", "since"), ("until=2026-02-30", "until"),
        ("since=1700000000", "since"), ("until=20261120", "until"), ("since=2026-1-1", "since"),
        ("since=2026-11-20T00:00:00", "since"), ("since=%D9%A2026-11-20", "since"), ("when=now", "when"),
    ],
)  # fmt: skip
def test_a_bad_day_is_422(api: FlaskClient, name: str, query: str, where: str) -> None:
    answer = api.get(f"/api/reports/{name}?{query}", headers=AUTH)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"][0]["loc"] == [where]


def test_days_in_the_wrong_order_are_422(api: FlaskClient) -> None:
    for name in ("daily", "notifications", "devices"):
        answer = api.get(f"/api/reports/{name}?since=2026-11-20&until=2026-11-19", headers=AUTH)
        assert answer.status_code == 422


@pytest.mark.parametrize("cursor", ["x", "é", "W10=", "WzEsMl0=", "WyJhIiwgIngiXQ==", "WyJcdTAwMDAiLCAiYSJd"])
def test_a_bad_cursor_is_422(api: FlaskClient, cursor: str) -> None:
    names = ["notifications"] if cursor.startswith("WyJh") else ["notifications", "devices"]
    for name in names:
        answer = api.get(f"/api/reports/{name}", query_string={"cursor": cursor}, headers=AUTH)
        assert answer.status_code == 422


def test_a_page_has_a_row_at_least(api: FlaskClient) -> None:
    for name in ("notifications", "devices"):
        assert api.get(f"/api/reports/{name}?limit=0", headers=AUTH).status_code == 422


def test_reports_are_for_backends(api: FlaskClient) -> None:
    for name in ("daily", "notifications", "devices"):
        assert api.get(f"/api/reports/{name}").status_code == 401
        token = api.application.extensions["notifier"].tokens.mint("u1")
        mine = {"Authorization": f"Bearer {token}"}
        assert api.get(f"/api/reports/{name}", headers=mine).status_code == 403


# ---------------------------------------------------------------------- commands


@pytest.mark.parametrize("name", ["daily", "notifications", "devices"])
def test_the_command_prints_the_same_rows(world: World, api: FlaskClient, run: Run, name: str) -> None:
    rows = get(api, f"/api/reports/{name}")
    assert len(rows) > 1
    done = run("report", name, "--format", "json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, rows)
    header, *lines = csv.reader(io.StringIO(run("report", name, "--format", "csv").stdout))
    assert (header, len(lines)) == (list(rows[0]), len(rows))
    table = run("report", name).stdout.splitlines()
    assert len(table) == 1 + len(rows)
    today = world.now.date().isoformat()
    assert json.loads(run("report", name, "--since", today, "--format", "json").stdout) == rows
    nothing = run("report", name, "--until", "1999-12-31")
    assert (nothing.exit_code, nothing.stdout) == (0, "no rows\n")


def test_a_device_that_is_called_like_a_formula_is_none_in_csv(world: World, run: Run) -> None:
    one = Joined("u1", "=1+1", "s2", None, 1, 0, None)
    world.database.run(lambda c: devices.joined(c, [one], now=world.tick()))
    rows = list(csv.DictReader(io.StringIO(run("report", "devices", "--format", "csv").stdout)))
    assert [row["device"] for row in rows if row["user_id"] == "u1"] == ["'=1+1", "phone"]
    assert '"device": "=1+1"' in run("report", "devices", "--format", "json").stdout


def test_the_command_refuses_bad_days(run: Run) -> None:
    for words in (("--since", "soon"), ("--since", "2026-11-20", "--until", "2026-11-19")):
        done = run("report", "daily", *words)
        assert done.exit_code == 2
        assert words[-2].strip("-") in done.stderr
    assert run("report", "weekly").exit_code == 2


def test_purge_prints_what_it_deleted(world: World, run: Run) -> None:
    assert run("purge", "--older-than", "90d").stdout == "entries=0 notifications=0\n"
    old = now() - timedelta(days=91)
    for table, column in (
        ("notifications", "accepted_at"),
        ("deliveries", "persisted_at"),
        ("changes", "at"),
    ):
        with world.database.write() as connection:
            moment = sa.bindparam("old", old, type_=world_type())
            connection.execute(sa.text(f"UPDATE notifier_{table} SET {column} = :old").bindparams(moment))
    done = run("purge", "--older-than", "90d")
    assert (done.exit_code, done.stdout) == (0, "entries=6 notifications=3\n")
    assert world.violations() == []


def world_type() -> Any:
    from notifier.outbox.types import UtcDateTime

    return UtcDateTime()


@pytest.mark.parametrize("age", ["0d", "-1d", "90", "d", "1h", "soon", "1000000d"])
def test_purge_refuses_an_invalid_age(run: Run, age: str) -> None:
    done = run("purge", "--older-than", age)
    assert done.exit_code == 2
    assert "older-than" in done.stderr


def test_grant_reporting_on_sqlite_says_that_there_are_no_roles(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", url(sqlite_database))
    done = CliRunner().invoke(main, ["grant-reporting", "bi"])
    assert done.exit_code != 0
    assert "SQLite has no roles" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def role(postgres_database: Database) -> Iterator[str]:
    """The name of a role that is dropped at the end."""
    name = f'bi "{uuid.uuid4().hex[:8]}"'
    yield name
    quoted = postgres_database.engine.dialect.identifier_preparer.quote_identifier(name)
    with postgres_database.write() as connection:
        if connection.scalar(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}):
            connection.exec_driver_sql(f"DROP OWNED BY {quoted}")
            connection.exec_driver_sql(f"DROP ROLE {quoted}")


def test_the_role_sees_the_four_views_and_nothing_else(
    postgres_database: Database, role: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", url(postgres_database))
    for _ in range(2):
        done = CliRunner().invoke(main, ["grant-reporting", role])
        assert done.exit_code == 0, done.output
    quoted = postgres_database.engine.dialect.identifier_preparer.quote_identifier(role)
    engine = make_engine(url(postgres_database))
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SET ROLE {quoted}")
        names = connection.scalars(
            sa.text(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v')"
                " AND relnamespace = 'public'::regnamespace"
            )
        ).all()
        allowed = {
            name
            for name in names
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
            if connection.scalar(
                sa.text("SELECT has_table_privilege(:name, :right)"), {"name": name, "right": right}
            )
        }
        assert allowed == {
            "notifier_report_daily",
            "notifier_report_deliveries",
            "notifier_report_devices",
            "notifier_report_notifications",
        }
        for name in allowed:
            connection.exec_driver_sql(f"SELECT * FROM {name}")
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            connection.exec_driver_sql("SELECT * FROM notifier_notifications")
    engine.dispose()


@pytest.mark.parametrize("name", ["", "x" * 64, "a\nb"])
def test_an_invalid_role_name_is_refused(
    postgres_database: Database, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", url(postgres_database))
    assert CliRunner().invoke(main, ["grant-reporting", name]).exit_code == 2
