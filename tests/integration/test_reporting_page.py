"""The queries of docs/reporting.md, copied from the page, in psql, in sqlite3 and through the driver."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from models.store import devices, failures
from models.store.delivered import Ack
from models.tables import devices as devices_table
from notifier.core.effects import Acked
from notifier.outbox.engine import Database
from tests.harness.world import World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reporting.md"
QUERIES = re.findall(r"^```sql\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
SHELLS = {"sqlite": "sqlite3", "postgresql": "psql"}


def asked(dialect: str) -> list[str]:
    """Return the page's queries for this database."""
    other = {"sqlite": "-- psql", "postgresql": "-- sqlite3"}[dialect]
    return [query for query in QUERIES if not query.startswith(other)]


def shop(database: Database) -> None:
    """Make several November days, so that every query has rows."""
    world = World(database, datetime(2026, 11, 17, 22, tzinfo=UTC))
    seen: dict[str, tuple[int, datetime]] = {}
    for hour in range(12):
        id = world.send("user-7", "user-8", "user-9")
        world.badge("user-7", "messages", hour)
        world.dispatch()
        world.tick(hour * 1000 + 0.123456)
        head = world.head("user-7")[0]
        for user, through in (("user-7", head), ("user-8", max(1, hour - 1))):
            moment = world.tick()
            ack = [Ack(user, "phone", Acked(1, 0, 0, through))]
            world.database.run(lambda c, ack=ack, moment=moment: devices.flush(c, ack, [], now=moment))
            seen[user] = through, moment
        if hour % 3 == 0:
            world.read("user-7", id)
        world.tick(3600)
    rows = [
        {
            "user_id": user, "device": "phone", "acked_seq": through, "window_from": 1, "log_from": 0,
            "socket": "s", "first_seen_at": at, "last_seen_at": at,
        }
        for user, (through, at) in seen.items()
    ]  # fmt: skip
    with database.write() as connection:
        connection.execute(sa.insert(devices_table), rows)
    number = world.notification(world.send("user-7")).number
    moment = world.tick()
    world.database.run(
        lambda c: failures.postpone(c, number, "broken", now=moment, delay=timedelta(0), max_attempts=1)
    )


def answers(database: Database) -> list[list[tuple[Any, ...]]]:
    """Return each query's answer, in a form that does not depend on the database."""
    with database.read() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL timezone = 'UTC'")
        return [
            [tuple(map(_alike, row)) for row in connection.execute(sa.text(query))]
            for query in asked(connection.dialect.name)
        ]


def _alike(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    if value is None or isinstance(value, str):
        return value
    try:
        return float(value)
    except TypeError:
        return str(value)


def test_both_databases_give_the_same_answers(sqlite_database: Database, postgres_database: Database) -> None:
    for database in (sqlite_database, postgres_database):
        shop(database)
    theirs, ours = answers(sqlite_database), answers(postgres_database)
    assert len(ours) >= 12
    for query, one, other in zip(asked("postgresql"), ours, theirs, strict=True):
        assert one, f"nothing is found by {query}"
        ids = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
        plain = [[ids.sub("id", str(row)) for row in rows] for rows in (one, other)]
        assert plain[0] == plain[1], query


def test_each_query_runs_as_it_is_printed(database: Database) -> None:
    """Run them as a reader would, in the databases' own shells."""
    shop(database)
    dialect, url = database.engine.dialect.name, database.engine.url
    shell = shutil.which(SHELLS[dialect])
    if shell is None:
        pytest.skip(f"{SHELLS[dialect]} is not installed")
    for query in asked(dialect):
        if dialect == "sqlite":
            words, before = [shell, "-readonly", "-bail", str(url.database)], ""
        else:
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
            words = [shell, address, "--no-psqlrc", "--quiet", "-tA", "-v", "ON_ERROR_STOP=1"]
            before = "SET timezone = 'UTC';\n"
        done = subprocess.run(words, input=before + query, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), f"{query}\n{done.stderr}"
        assert done.stdout.strip(), f"nothing is found by {query}"


@pytest.mark.parametrize(
    "name",
    [
        "notifier_report_deliveries",
        "notifier_report_daily",
        "notifier_report_notifications",
        "notifier_report_devices",
    ],
)
def test_the_page_names_every_column(sqlite_database: Database, name: str) -> None:
    section = (
        PAGE.read_text()
        .partition(f"`{name}`: a row")[2]
        .partition("\n`notifier_report_")[0]
        .partition("\n## ")[0]
    )
    with sqlite_database.read() as connection:
        columns = connection.execute(sa.text(f"SELECT * FROM {name}")).keys()
    first_cells = " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    assert re.findall(r"`(\w+)`", first_cells) == list(columns)
