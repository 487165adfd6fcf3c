"""A wrong setting stops the start with one line that names it; secrets are made once."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from notifier.core.errors import SettingError
from notifier.settings import Settings

SECRET = "x" * 32
POSTGRES = "postgresql+psycopg://127.0.0.1/notifier"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the machine's variables and `.env`."""
    for name in [name for name in os.environ if name.startswith("NOTIFIER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def from_env(monkeypatch: pytest.MonkeyPatch, **env: str) -> Settings:
    for name, value in env.items():
        monkeypatch.setenv(f"NOTIFIER_{name}", value)
    return Settings.load()


def test_nothing_set_is_the_embedded_default() -> None:
    settings = Settings.load()
    assert settings.database_url == "sqlite:///var/notifier.db"
    assert (settings.host, settings.port, settings.var_dir) == ("127.0.0.1", 3000, Path("var"))
    assert settings.embedded
    assert settings.file_broker
    assert settings.demo_on
    assert settings.allowed_origins == ()


def test_everything_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = from_env(
        monkeypatch,
        DATABASE_URL=POSTGRES,
        BROKER_URL="amqp://guest@a//;amqps://guest@b//",
        HOST="0.0.0.0",
        PORT="8080",
        SECRET=SECRET,
        API_KEYS="one, two,",
        ALLOWED_ORIGINS="https://Shop.example/, http://localhost:5173",
        VAR_DIR="elsewhere",
        DEMO="1",
    )
    assert settings.database_url == POSTGRES
    assert settings.broker_url == "amqp://guest@a//;amqps://guest@b//"
    assert (settings.host, settings.port) == ("0.0.0.0", 8080)
    assert settings.signing_secret() == SECRET
    assert settings.backend_keys() == ("one", "two")
    assert settings.allowed_origins == ("https://shop.example", "http://localhost:5173")
    assert settings.var_dir == Path("elsewhere")
    assert settings.demo_on
    assert not settings.embedded
    assert not settings.file_broker


def test_a_dotenv_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("NOTIFIER_PORT=4000\nNOTIFIER_HOST=::1\nOTHER=1\n")
    settings = from_env(monkeypatch, PORT="5000")
    assert (settings.port, settings.host) == (5000, "::1")


def test_a_changed_folder_moves_the_default_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_env(monkeypatch, VAR_DIR="/data").database_url == "sqlite:////data/notifier.db"


@pytest.mark.parametrize(
    "given",
    [
        "postgres://h/d",
        "postgresql://h/d",
        "postgresql+psycopg://h/d",
        "postgresql+psycopg2://h/d",
    ],
)
def test_every_spelling_of_postgresql_means_our_driver(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    assert from_env(monkeypatch, DATABASE_URL=given).database_url == "postgresql+psycopg://h/d"


@pytest.mark.parametrize("name", ["DATABASE_URL", "BROKER_URL", "PORT", "SECRET", "API_KEYS", "DEMO"])
def test_set_to_nothing_means_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert from_env(monkeypatch, **{name: ""}) == Settings.load()


def test_the_demo_is_on_by_default_only_where_everything_is_embedded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not from_env(monkeypatch, DATABASE_URL=POSTGRES).demo_on
    assert from_env(monkeypatch, DEMO="1").demo_on
    monkeypatch.delenv("NOTIFIER_DATABASE_URL")
    assert not from_env(monkeypatch, DEMO="0").demo_on


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://a/b"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "nonsense"),
        ("BROKER_URL", "redis://localhost"),
        ("BROKER_URL", "amqp://a//;redis://b"),
        ("BROKER_URL", "amqp://a//;filesystem://"),
        ("BROKER_URL", "filesystem://;amqp://a//"),
        ("CLIENT_URL", "notify"),
        ("CLIENT_URL", "//elsewhere.example"),
        ("CLIENT_URL", "javascript:alert(1)"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "three thousand"),
        ("SECRET", "too short"),
        ("SECRET", "x" * 31),
        ("API_KEYS", "shop:sned:topsecret"),
        ("API_KEYS", "plain, shop:topsecret"),
        ("API_KEYS", "topsecret, shop:send:topsecret"),
        ("OLD_SECRETS", "too short"),
        ("OLD_SECRETS", "x" * 32 + ", too short"),
        ("JWKS", "http://idp.example/jwks.json"),
        ("JWKS", "file:///etc/jwks.json"),
        ("JWKS", "https://"),
        ("JWKS_INTERVAL", "0"),
        ("JWKS_COOLDOWN", "-1"),
        ("REVOCATION_INTERVAL", "0"),
        ("TOKEN_LEEWAY", "-1"),
        ("TOKEN_LEEWAY", "301"),
        ("ALLOWED_ORIGINS", "shop.example"),
        ("ALLOWED_ORIGINS", "https://shop.example, *"),
        ("ALLOWED_ORIGINS", "https://shop.example/path"),
        ("ALLOWED_ORIGINS", "ftp://shop.example"),
        ("DEMO", "perhaps"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("WEB_PROCESSES", "0"),
        ("WORKER_CONNECTIONS", "many"),
        ("HELLO_TIMEOUT", "0"),
        ("PING_INTERVAL", "-1"),
        ("SLOW_TIMEOUT", "nan"),
        ("REQUEST_TIMEOUT", "0"),
        ("HEADS_INTERVAL", "inf"),
        ("LINGER", "x"),
        ("ACK_INTERVAL", "0"),
        ("RESTART_GRACE", "86401"),
        ("RESTART_SPREAD", "0"),
        ("FRAMES_PER_SECOND", "0"),
        ("SOCKETS_PER_USER", "0"),
        ("SOCKETS_PER_ADDRESS", "0"),
        ("SOCKETS_UNAUTHENTICATED", "0"),
        ("POSTS_PER_MINUTE", "0"),
        ("CALLS_PER_MINUTE", "0"),
        ("WRONG_CREDENTIALS_PER_MINUTE", "-1"),
        ("PROXY_HOPS", "-1"),
        ("PROXY_HOPS", "all"),
        ("TIMEZONE", "Mars/Olympus"),
        ("PREFIX", "notify"),
        ("PREFIX", "/a b"),
        ("PREFIX", "//host"),
        ("PREFIX", "/../x"),
        ("SWEEP_INTERVAL", "0"),
        ("LINGER", "0"),
        ("BATCH_SIZE", "0"),
        ("BATCH_SIZE", "1.5"),
        ("CHUNK_SIZE", "5001"),
        ("MAX_ATTEMPTS", "0"),
        ("RETRY_BASE", "0"),
        ("RETRY_MAX", "soon"),
        ("RETENTION_DAYS", "-1"),
        ("RETENTION_DAYS", "90d"),
        ("WORKER_METRICS_PORT", "0"),
        ("TASK_QUEUE_TYPE", "mirrored"),
        ("EVENT_QUEUES", "none"),
        ("SMTP_URL", "http://topsecret@mail.example"),
        ("SMTP_URL", "smtp://"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "Shop <a@b.example>\nBcc: x@y.example"),
        ("PUBLIC_URL", "shop.example"),
        ("PUBLIC_URL", "https://shop.example/?a=b"),
        ("TEMPLATES", "/nowhere/at/all"),
        ("DIGEST_AT", "9"),
        ("DIGEST_AT", "24:00"),
        ("UNKNOWN", "perhaps"),
        ("VAPID_SUBJECT", "ops@shop.example"),
        ("PUSH_HOSTS", "https://push.example"),
        ("REACH_CONCURRENCY", "0"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(SettingError) as caught:
        from_env(monkeypatch, **{name: value})
    line = str(caught.value)
    assert line.startswith(f"NOTIFIER_{name}")
    assert line.count("\n") == 0
    if name == "SECRET":
        assert value not in line
    assert "topsecret" not in line


def test_two_wrong_settings_are_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError) as caught:
        from_env(monkeypatch, PORT="x", SECRET="short")
    named = sorted(line.partition(":")[0] for line in str(caught.value).splitlines())
    assert named == ["NOTIFIER_PORT", "NOTIFIER_SECRET"]


def test_every_setting_is_tried_above() -> None:
    """A new setting needs wrong values above, or a line here why it has none."""
    free_text = {"var_dir", "host", "events", "definitions", "token_issuer", "token_audience"}
    free_text |= {"vapid_key"}  # looked at when push is set up: tests/unit/test_push.py
    marks = test_a_wrong_setting_is_named_in_one_line.pytestmark  # type: ignore[attr-defined]
    tried = {name.lower() for mark in marks for name, _ in mark.args[1]}
    assert set(Settings.model_fields) == free_text | tried


def test_a_secret_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = from_env(monkeypatch, SECRET="y" * 32, API_KEYS="key-of-a-backend")
    assert "yyyy" not in repr(settings)
    assert "key-of-a-backend" not in repr(settings)


# ---------------------------------------------------------------------- what is made by itself


def test_production_requires_its_secret_and_its_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = from_env(monkeypatch, DATABASE_URL=POSTGRES)
    with pytest.raises(SettingError, match=r"^NOTIFIER_SECRET: "):
        settings.signing_secret()
    with pytest.raises(SettingError, match=r"^NOTIFIER_API_KEYS: "):
        settings.backend_keys()
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(("file", "read"), [("secret", "signing_secret"), ("api-key", "backend_keys")])
def test_embedded_makes_its_secret_and_its_key_once_for_its_owner_alone(
    file: str, read: str, tmp_path: Path
) -> None:
    first = getattr(Settings.load(), read)()
    again = getattr(Settings.load(), read)()
    path = tmp_path / "var" / file
    assert first == again
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().strip() == (first if isinstance(first, str) else first[0])
    assert len(path.read_text().strip()) >= 32
    assert [other.name for other in path.parent.iterdir()] == [file]


def test_the_secret_and_the_key_differ() -> None:
    settings = Settings.load()
    assert settings.backend_keys() != (settings.signing_secret(),)


def test_a_given_secret_and_given_keys_make_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = from_env(monkeypatch, SECRET=SECRET, API_KEYS="k")
    assert (settings.signing_secret(), settings.backend_keys()) == (SECRET, ("k",))
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("left", ["", "\n", "short"])
def test_a_kept_secret_that_was_cut_short_stops_the_start(left: str, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "secret").write_text(left)
    (tmp_path / "var" / "api-key").write_text(left)
    with pytest.raises(SettingError, match=r"^NOTIFIER_SECRET: .*secret is cut short"):
        Settings.load().signing_secret()
    with pytest.raises(SettingError, match=r"^NOTIFIER_API_KEYS: .*api-key is cut short"):
        Settings.load().backend_keys()


def first_start(folder: str, together: Any, found: Any) -> None:
    """Start a process for the first time."""
    os.chdir(folder)
    together.wait()
    settings = Settings.load()
    found.put((settings.signing_secret(), settings.backend_keys()))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    together, found = context.Barrier(8), context.Queue()
    starts = [context.Process(target=first_start, args=(tmp_path, together, found)) for _ in range(8)]
    for start in starts:
        start.start()
    assert len({found.get(timeout=30) for _ in starts}) == 1
    for start in starts:
        start.join(30)
        assert start.exitcode == 0
    found.close()
    found.join_thread()
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == ["api-key", "secret"]
