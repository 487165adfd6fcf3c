"""A start prints one clear line, also when it fails: ports, addresses, database URLs, a closed output."""

from __future__ import annotations

import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from cli.start_lines import announce
from notifier.settings import Settings
from tests.harness import postgres, processes
from tests.harness.backends import SECRET, Backend, embedded
from tests.harness.processes import BIN, REPO, clean_env, run
from tests.harness.waiting import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    """Yield a port on which another process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("command", ["up", "web"])
def test_a_port_in_use_stops_the_start_before_anything_is_made(
    command: str, taken: int, tmp_path: Path
) -> None:
    done = run(
        "notifier", command, env={"NOTIFIER_VAR_DIR": str(tmp_path / "var"), "NOTIFIER_PORT": str(taken)}
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"NOTIFIER_PORT: {taken} is in use at 127.0.0.1")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "::ffff", "256.1.1.1", "a b"])
@pytest.mark.parametrize("command", ["up", "web"])
def test_an_address_that_cannot_be_bound_stops_the_start(command: str, host: str, tmp_path: Path) -> None:
    env = {
        "NOTIFIER_VAR_DIR": str(tmp_path / "var"),
        "NOTIFIER_HOST": host,
        "NOTIFIER_PORT": str(free_port()),
    }
    done = run("notifier", command, env=env)
    assert done.returncode == 2
    assert done.stderr.startswith(f"NOTIFIER_HOST: {host} cannot be listened on: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1"])
def test_gunicorn_with_our_configuration_checks_the_address_first(
    host: str, taken: int, tmp_path: Path
) -> None:
    env = {"NOTIFIER_VAR_DIR": str(tmp_path / "var"), "NOTIFIER_HOST": host, "NOTIFIER_PORT": str(taken)}
    done = run("gunicorn", "-c", "gunicorn.conf.py", env={**env, "NOTIFIER_LOG_LEVEL": "WARNING"})
    assert done.returncode == 2
    assert done.stderr.startswith("NOTIFIER_PORT: " if host == "127.0.0.1" else "NOTIFIER_HOST: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_up_checks_the_metrics_ports_too(taken: int, tmp_path: Path) -> None:
    env = {
        "NOTIFIER_VAR_DIR": str(tmp_path / "var"), "NOTIFIER_PORT": str(free_port()),
        "NOTIFIER_WORKER_METRICS_PORT": str(taken - 1),
    }  # fmt: skip
    done = run("notifier", "up", env=env)
    assert done.returncode == 2
    assert done.stderr == (
        f"NOTIFIER_WORKER_METRICS_PORT: {taken} is in use at 127.0.0.1;"
        " stop what listens there, or choose another port\n"
    )


def test_a_program_that_takes_the_port_meanwhile_is_not_announced_as_ours(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    up = processes.notifier("up", env=embedded(tmp_path / "var").env | {"NOTIFIER_PORT": str(port)}, log=log)
    up.start().wait_until((tmp_path / "var" / "api-key").exists, "the address is checked")
    with socket.create_server(("127.0.0.1", port)):
        assert up.wait(90) == 2
    assert log.read_text().splitlines() == [
        f"NOTIFIER_PORT: {port} is in use at 127.0.0.1; stop what listens there, or choose another port"
    ]


@pytest.mark.parametrize(
    ("setting", "value", "commands"),
    [
        ("BROKER_URL", "amqp://h:abc", ["up", "web", "worker", "send u --title t --message m"]),
        ("BROKER_URL", "amqp://[::1", ["up", "worker"]),
        ("BROKER_URL", "amqp://a;amqp://b:99999", ["up", "worker"]),
        ("EVENTS", "no_such_module", ["up", "worker"]),
        ("DEFINITIONS", "/no/such.json", ["up", "worker", "web"]),
        ("VAR_DIR", "/proc/no", ["up", "web"]),
    ],
)
def test_a_setting_that_cannot_work_is_one_line(
    setting: str, value: str, commands: list[str], tmp_path: Path
) -> None:
    env = {
        "NOTIFIER_VAR_DIR": str(tmp_path), "NOTIFIER_PORT": str(free_port()), f"NOTIFIER_{setting}": value,
    }  # fmt: skip
    if setting == "DEFINITIONS":
        assert run("notifier", "migrate", env={"NOTIFIER_VAR_DIR": str(tmp_path)}).returncode == 0
    for command in commands:
        done = run("notifier", *command.split(), env=env | {"NOTIFIER_LOG_LEVEL": "WARNING"})
        assert done.returncode == 2, (command, done.stderr)
        assert done.stderr.startswith(f"NOTIFIER_{setting}: "), command
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stdout == ""


@pytest.fixture(scope="module")
def latin1() -> Iterator[str]:
    """Yield the URL of a database whose encoding is LATIN1."""
    name = f"latin1_{uuid.uuid4().hex[:8]}"
    shared = postgres.shared_url()
    postgres.execute(shared, f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    yield make_url(shared).set(database=name).render_as_string(hide_password=False)
    postgres.execute(shared, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    "command",
    ["notifier up", "notifier web", "notifier worker", "notifier worker --queues reach", "notifier migrate",
     "notifier verify", "gunicorn -c gunicorn.conf.py", "celery -A worker.app worker"],
)  # fmt: skip
def test_a_database_of_another_encoding_is_one_line(command: str, latin1: str, tmp_path: Path) -> None:
    env = {
        "NOTIFIER_VAR_DIR": str(tmp_path), "NOTIFIER_DATABASE_URL": latin1, "NOTIFIER_SECRET": SECRET,
        "NOTIFIER_API_KEYS": "k" * 40, "NOTIFIER_PORT": str(free_port()), "NOTIFIER_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    done = run(*command.split(), env=env)
    assert done.returncode == 2, done.stderr
    assert done.stderr == "NOTIFIER_DATABASE_URL: the database's encoding is LATIN1; it must be UTF8\n"
    assert done.stdout == ""


def test_up_listens_on_ipv6_and_prints_only_what_is_needed(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    port, log = free_port(), tmp_path / "log"
    env = {"NOTIFIER_VAR_DIR": str(tmp_path / "var"), "NOTIFIER_HOST": "::1", "NOTIFIER_PORT": str(port)}
    up = processes.notifier("up", env=env, log=log).start()
    up.wait_until(lambda: "API key" in log.read_text() and "data" in log.read_text(), "it is announced", 90)
    said = log.read_text().splitlines()
    assert up.terminate() == 0
    assert said == [
        f"Live Notifications on http://[::1]:{port}/  (Ctrl-C stops)",
        f"  dashboard http://[::1]:{port}/reports",
        f"  mailbox   http://[::1]:{port}/mail",
        f"  API key   in {tmp_path}/var/api-key",
        f"  data      in {tmp_path}/var/",
    ]


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_the_start_is_coloured_only_on_a_terminal_and_without_no_color(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    announce(Settings())
    assert ("\x1b[" in capsys.readouterr().out) is not bool(environment)


URLS = (
    "postgresql://u:p@ss@h/d", "postgresql://h:abc/d", "sqlite:///", "postgresql://u@a:1,b:2/d",
    "postgresql://h/d?sslmod=x", "sqlite:////proc/no/n.db",
)  # fmt: skip
COMMANDS = ("up", "migrate", "web", "worker", "verify")


#: Each pair; `make test` has two URLs for each command, and each URL.
PAIRS = [
    pytest.param(command, url, marks=() if place in (number, len(COMMANDS)) else pytest.mark.long)
    for number, command in enumerate(COMMANDS)
    for place, url in enumerate(URLS)
]


@pytest.mark.parametrize(("command", "url"), PAIRS)
def test_a_database_url_that_cannot_work_is_one_line(command: str, url: str, tmp_path: Path) -> None:
    env = {
        "NOTIFIER_VAR_DIR": str(tmp_path), "NOTIFIER_DATABASE_URL": url, "NOTIFIER_SECRET": "s" * 40,
        "NOTIFIER_API_KEYS": "k" * 40, "NOTIFIER_PORT": str(free_port()),
    }  # fmt: skip
    done = run("notifier", command, env=env)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("NOTIFIER_DATABASE_URL: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    """Return an embedded backend, migrated once; its tests look at no rows of it."""
    backend = embedded(tmp_path_factory.mktemp("migrated") / "var")
    assert run("notifier", "migrate", env=backend.env).returncode == 0
    return backend


@pytest.mark.parametrize(
    "command",
    [
        "report daily",
        "report daily --format csv",
        "verify",
        "token u",
        "--help",
        "--version",
        "restored",
        "send u --title t --message m",
        "badge u messages 1",
        "recipient set u --name A",
    ],
)
@pytest.mark.parametrize("output", [">&-", ">/dev/full"])
def test_an_output_that_is_closed_or_full_is_one_line(command: str, output: str, migrated: Backend) -> None:
    done = subprocess.run(
        f"'{BIN}/notifier' {command} {output}", shell=True, env=clean_env(migrated.env), cwd=REPO,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("standard output: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("command", ["report daily", "verify", "inbox u", "dead list", "token u", "--help"])
def test_a_reader_that_ends_early_gets_no_traceback(command: str, migrated: Backend) -> None:
    done = subprocess.run(
        f"'{BIN}/notifier' {command} | true", shell=True, env=clean_env(migrated.env), cwd=REPO,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")


def test_a_closed_output_gives_no_database_its_number(tmp_path: Path) -> None:
    """The first file that is opened would get it, and output would be written into that file."""
    backend = embedded(tmp_path / "var")
    done = subprocess.run(
        f"'{BIN}/notifier' migrate >&- 2>&-", shell=True, env=clean_env(backend.env), cwd=REPO,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert (backend.var_dir / "notifier.db").read_bytes().startswith(b"SQLite format 3")
