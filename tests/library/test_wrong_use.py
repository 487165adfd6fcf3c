"""Wrong use raises at once, with the cure: each misuse with its exact message."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from notifier import Alert, send_notification
from notifier.core.errors import (
    DatabaseLocked,
    DatabaseUnavailable,
    SettingError,
    TablesMissing,
    WrongDatabase,
)
from notifier.outbox import engine as engine_module
from notifier.outbox.engine import make_engine
from notifier.outbox.tables import metadata, notifications
from notifier.send import default_sender

ALERT = Alert(title="Order shipped", message="It is on its way.", type="success")


@contextmanager
def told(error: type[Exception], message: str) -> Iterator[None]:
    """Return the exact message of an error."""
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        yield


@pytest.fixture(params=["", "psycopg2", "psycopg"])
def own(request: pytest.FixtureRequest, configured: str) -> Iterator[sa.Engine]:
    """An application's engine on the service's database."""
    if bool(request.param) != configured.startswith("postgresql"):
        pytest.skip("a driver of the other database")
    if request.param:
        pytest.importorskip(request.param)
    url = sa.engine.make_url(configured)
    engine = sa.create_engine(url.set(drivername=f"postgresql+{request.param}") if request.param else url)
    yield engine
    engine.dispose()


OTHER_DATABASE = (
    "this session is on another database than NOTIFIER_DATABASE_URL, which the service reads: "
    "let both have the same one, or send with session=None"
)


def test_a_session_on_another_database(configured: str, tmp_path: Path) -> None:
    other = make_engine(f"sqlite:///{tmp_path}/other.db")
    metadata.create_all(other)
    with Session(other) as session:
        with told(WrongDatabase, OTHER_DATABASE):
            send_notification("user-7", ALERT, session=session)
        assert session.scalar(sa.select(sa.func.count()).select_from(notifications)) == 0
    other.dispose()


def test_a_session_on_a_database_of_the_application_alone(configured: str, tmp_path: Path) -> None:
    other = sa.create_engine(f"sqlite:///{tmp_path}/theirs.db")
    with Session(other) as session, told(WrongDatabase, OTHER_DATABASE):
        send_notification("user-7", ALERT, session=session)
    other.dispose()


def test_a_session_on_a_database_that_was_never_migrated(own: sa.Engine) -> None:
    metadata.drop_all(own)
    with (
        Session(own) as session,
        told(
            TablesMissing,
            "this session's database has no tables of Live Notifications; run: notifier migrate",
        ),
    ):
        send_notification("user-7", ALERT, session=session)


def test_the_callers_transaction_is_usable_after_the_refusal(own: sa.Engine) -> None:
    with own.begin() as connection:
        connection.execute(sa.text("DROP TABLE notifier_installation"))
    with Session(own) as session:
        with pytest.raises(TablesMissing):
            send_notification("user-7", ALERT, session=session)
        assert session.scalar(sa.text("SELECT 1")) == 1


def test_a_database_that_was_never_migrated(monkeypatch: pytest.MonkeyPatch, configured: str) -> None:
    engine = make_engine(configured)
    metadata.drop_all(engine)
    engine.dispose()
    with told(
        TablesMissing,
        "the tables of Live Notifications are not in this database; run: notifier migrate",
    ):
        send_notification("user-7", ALERT)


def test_the_database_is_asked_once_for_each_engine(own: sa.Engine) -> None:
    asked: list[str] = []
    sa.event.listen(own, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for _ in range(3):
        with Session(own) as session:
            send_notification("user-7", ALERT, session=session)
            session.commit()
    assert len([statement for statement in asked if "FROM notifier_installation" in statement]) == 1
    assert len([statement for statement in asked if statement.startswith("INSERT")]) == 3


def test_a_send_within_the_callers_own_open_transaction(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/var/notifier.db"
    engine = make_engine(url)
    metadata.create_all(engine)
    with closing(sqlite3.connect(tmp_path / "var" / "notifier.db", isolation_level=None)) as open_elsewhere:
        open_elsewhere.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        with told(DatabaseLocked, "SQLite is locked by another transaction: pass session=, or commit first"):
            send_notification("user-7", ALERT)
        assert 0.9 < time.monotonic() - begun < 3
    assert issubclass(DatabaseLocked, DatabaseUnavailable)
    engine.dispose()


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Hide these packages."""
    found = engine_module.find_spec
    monkeypatch.setattr(engine_module, "find_spec", lambda name: None if name in names else found(name))


def test_postgresql_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "psycopg", "psycopg2")
    with told(
        SettingError, "NOTIFIER_DATABASE_URL: PostgreSQL needs a driver; run: pip install 'psycopg[binary]'"
    ):
        make_engine("postgresql+psycopg://h/d")


def test_psycopg2_alone_is_enough(configured: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg2")
    without(monkeypatch, "psycopg")
    send_notification("user-7", ALERT)
    send_notification(["user-7", "user-8"], ALERT)
    driver = default_sender().database.engine.driver
    assert driver == ("pysqlite" if configured.startswith("sqlite") else "psycopg2")


FORKS = """
import os, sys, time
from notifier import Alert, send_notification
from notifier.outbox.engine import make_engine
from notifier.outbox.tables import metadata
from notifier.send import default_sender
from notifier.settings import Settings
metadata.create_all(make_engine(Settings.load().database_url))
alert = Alert(title="Order shipped", message="It is on its way.", type="success")
send_notification("user-7", alert)
time.sleep(float(sys.argv[1]))
if os.fork():
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
for _ in range(12):
    send_notification("user-7", alert)
os._exit(0 if default_sender().waker.flush(10) else 1)
"""


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 4, 8, 16, 32, 64])
def test_a_process_that_forks_right_after_its_first_send(tmp_path: Path, milliseconds: int) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", FORKS, str(milliseconds / 1000)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
