"""Start-up checks: each failure is one line that names the setting."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from models import schema
from notifier.core.errors import SettingError
from notifier.outbox.engine import Database, make_engine
from notifier.settings import Settings
from tests.harness.world import migrate, settings
from usecases import preflight
from web import handles

GOOD = "0123456789abcdef" * 2
KEY = "a-key-of-some-length"
AWAY = "postgresql+psycopg://nobody@127.0.0.1:1/none"


def production(**given: Any) -> Settings:
    """Settings with a database that does not answer, so that only the settings are checked."""
    return settings(**{"database_url": AWAY, "secret": GOOD, "api_keys": KEY, **given})


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the settings that warnings named."""
    names = [record.getMessage().partition(":")[0] for record in caplog.records]
    return [name for name in names if name.startswith("NOTIFIER_")]


def test_a_database_that_does_not_answer_is_logged_and_does_not_stop_the_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    preflight.check(production())
    assert said(caplog) == ["NOTIFIER_DATABASE_URL"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"secret": "change-me-" + GOOD}, ["NOTIFIER_SECRET"]),
        ({"secret": "Your-secret-of-32-bytes-or-more-goes-here"}, ["NOTIFIER_SECRET"]),
        ({"api_keys": "changeme"}, ["NOTIFIER_API_KEYS"]),
        ({"api_keys": f"{KEY},shop:send:example-key-1234567"}, ["NOTIFIER_API_KEYS"]),
        ({"secret": "example" + GOOD, "api_keys": "default"}, ["NOTIFIER_SECRET", "NOTIFIER_API_KEYS"]),
    ],
)
def test_a_secret_copied_from_the_documentation_stops_the_start(
    given: dict[str, str], named: list[str]
) -> None:
    with pytest.raises(SettingError) as caught:
        preflight.check(production(**given))
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == named
    for secret in given.values():
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"secret": "x" * 32}, "NOTIFIER_SECRET"),
        ({"secret": "abcabca" * 6}, "NOTIFIER_SECRET"),
        ({"api_keys": "short-key"}, "NOTIFIER_API_KEYS"),
        ({"api_keys": f"{KEY},shop:send:short-key"}, "NOTIFIER_API_KEYS"),
        ({"api_keys": GOOD}, "NOTIFIER_API_KEYS"),
    ],
)
def test_a_weak_secret_is_logged(given: dict[str, str], named: str, caplog: pytest.LogCaptureFixture) -> None:
    preflight.check(production(**given))
    assert said(caplog) == ["NOTIFIER_DATABASE_URL", named]


@pytest.mark.parametrize("keys", ["k", "seven-7", f"{KEY},x", f"{KEY},shop:send:short"])
def test_a_key_that_can_be_guessed_stops_the_start(keys: str) -> None:
    with pytest.raises(SettingError) as caught:
        preflight.check(production(api_keys=keys))
    (line,) = str(caught.value).splitlines()
    assert line.startswith("NOTIFIER_API_KEYS: one is shorter than 8 characters")


def test_the_embedded_default_may_have_weak_secrets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chosen = settings(var_dir=tmp_path, secret="changeme" + "x" * 32, api_keys="k")
    engine = make_engine(chosen.database_url)
    migrate(engine)
    engine.dispose()
    preflight.check(chosen)
    assert said(caplog) == []


# ---------------------------------------------------------------------- the database


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    return settings(var_dir=tmp_path)


@pytest.mark.parametrize("revision", ["base", "n0001"])
def test_a_missing_migration_stops_the_start(revision: str, chosen: Settings) -> None:
    engine = make_engine(chosen.database_url)
    migrate(engine, revision)
    engine.dispose()
    for look in (preflight.check, preflight.check_database):
        with pytest.raises(SettingError, match=r"^NOTIFIER_DATABASE_URL: [^\n]*run: notifier migrate$"):
            look(chosen)


def test_no_database_at_all_is_a_missing_migration(chosen: Settings) -> None:
    with pytest.raises(SettingError, match="notifier migrate"):
        preflight.check_database(chosen)


def test_a_database_migrated_by_a_later_version_is_logged_and_does_not_stop_the_start(
    chosen: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(make_engine(chosen.database_url))
    migrate(database.engine)
    assert schema.compare(database) == schema.CURRENT
    with database.write() as connection:
        connection.exec_driver_sql(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")
    database.dispose()
    preflight.check_database(chosen)
    assert said(caplog) == ["NOTIFIER_DATABASE_URL"]


# ---------------------------------------------------------------------- file handles


class Limits:
    """The system's limit for file handles."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = soft, hard

    def getrlimit(self, _which: int) -> tuple[int, int]:
        return self.now

    def setrlimit(self, _which: int, limits: tuple[int, int]) -> None:
        self.now = limits


@pytest.mark.parametrize(
    ("soft", "hard", "after", "warned"),
    [
        (1_024, 524_288, 20_200, False),
        (1_024, resource.RLIM_INFINITY, 20_200, False),
        (65_536, 65_536, 65_536, False),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY, False),
        (1_024, 4_096, 4_096, True),
    ],
)
def test_the_limit_is_raised_as_far_as_it_goes(
    soft: int,
    hard: int,
    after: int,
    warned: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = Limits(soft, hard)
    monkeypatch.setattr(resource, "getrlimit", limits.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", limits.setrlimit)
    handles.raise_handles(settings(worker_connections=10_000))
    assert limits.now == (after, hard)
    assert said(caplog) == (["NOTIFIER_WORKER_CONNECTIONS"] if warned else [])
