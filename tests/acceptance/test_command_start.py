"""A start prints one clear line, also when it fails: ports, addresses, database URLs, a closed output."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.backends import embedded
from tests.harness.processes import BIN, REPO, clean_env, run
from tests.harness.waiting import free_port, until


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


def test_up_listens_on_ipv6_and_prints_only_what_is_needed(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    port, log = free_port(), tmp_path / "log"
    env = {"NOTIFIER_VAR_DIR": str(tmp_path / "var"), "NOTIFIER_HOST": "::1", "NOTIFIER_PORT": str(port)}
    up = processes.notifier("up", env=env, log=log).start()
    until(lambda: "API key" in log.read_text() and "data" in log.read_text(), 30, "it is announced")
    said = log.read_text().splitlines()
    assert up.terminate() == 0
    assert said == [
        f"Live Notifications on http://[::1]:{port}/  (Ctrl-C stops)",
        f"  API key   in {tmp_path}/var/api-key",
        f"  data      in {tmp_path}/var/",
    ]


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:p@ss@h/d", "postgresql://h:abc/d", "sqlite:///", "postgresql://u@a:1,b:2/d",
     "postgresql://h/d?sslmod=x", "sqlite:////proc/no/n.db"],
)  # fmt: skip
@pytest.mark.parametrize("command", ["up", "migrate", "web", "worker", "verify"])
def test_a_database_url_that_cannot_work_is_one_line(command: str, url: str, tmp_path: Path) -> None:
    env = {
        "NOTIFIER_VAR_DIR": str(tmp_path), "NOTIFIER_DATABASE_URL": url, "NOTIFIER_SECRET": "s" * 40,
        "NOTIFIER_API_KEYS": "k" * 40, "NOTIFIER_PORT": str(free_port()),
    }  # fmt: skip
    done = run("notifier", command, env=env)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("NOTIFIER_DATABASE_URL: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize(
    "command", ["report daily", "report daily --format csv", "verify", "token u", "--help", "--version"]
)
@pytest.mark.parametrize("output", [">&-", ">/dev/full"])
def test_an_output_that_is_closed_or_full_is_one_line(command: str, output: str, tmp_path: Path) -> None:
    backend = embedded(tmp_path / "var")
    assert run("notifier", "migrate", env=backend.env).returncode == 0
    done = subprocess.run(
        f"'{BIN}/notifier' {command} {output}", shell=True, env=clean_env(backend.env), cwd=REPO,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("standard output: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_a_closed_output_gives_no_database_its_number(tmp_path: Path) -> None:
    """The first file that is opened would get it, and output would be written into that file."""
    backend = embedded(tmp_path / "var")
    done = subprocess.run(
        f"'{BIN}/notifier' migrate >&- 2>&-", shell=True, env=clean_env(backend.env), cwd=REPO,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert (backend.var_dir / "notifier.db").read_bytes().startswith(b"SQLite format 3")
