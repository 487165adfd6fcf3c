"""The commands in docker-compose.yml and the Procfile, run as they are written, on PostgreSQL and RabbitMQ.

These are migrate, web and worker, each with only the environment that compose gives it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness import backends, processes
from tests.harness.backends import Backend
from tests.harness.processes import REPO, Process
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.site import Site, new_user
from tests.harness.waiting import until

LONG_RUNNING = ("web", "worker")
Commands = dict[str, list[str]]


def from_compose() -> Commands:
    return {
        name: service["command"] for name, service in compose()["services"].items() if "command" in service
    }


def from_procfile() -> Commands:
    lines = (line.split(": ", 1) for line in (REPO / "Procfile").read_text().splitlines())
    found = {name: command.split() for name, command in lines}
    found["migrate"] = found.pop("release")
    return found


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPO / "docker-compose.yml").read_text())
    return loaded


def environment(part: str, backend: Backend) -> dict[str, str]:
    """Return compose's environment of `part`, with this backend's addresses and secrets."""
    given: dict[str, str] = compose()["services"][part]["environment"]
    env = {name: value for name, value in given.items() if "${" not in value}
    env |= {name: backend.env[name] for name in given if name in backend.env}
    if "NOTIFIER_HOST" in env:
        env["NOTIFIER_HOST"] = "127.0.0.1"
    return env


@pytest.fixture
def production(rabbit_server: SharedRabbit, tmp_path: Path) -> Iterator[Backend]:
    with backends.open_backend("production", tmp_path / "var", rabbit_server) as backend:
        yield backend


@pytest.fixture
def site(production: Backend, tmp_path: Path) -> Iterator[Site]:
    site = Site(production, tmp_path)
    yield site
    site.close()


def migrate(site: Site, commands: Commands) -> None:
    done = processes.run(*commands["migrate"], env=environment("migrate", site.backend))
    assert done.returncode == 0, done.stderr


def start(site: Site, commands: Commands, part: str) -> Process:
    env = environment(part, site.backend)
    process = processes.command(*commands[part], env=env, log=site.logs / f"{part}.log").start()
    site.processes.append(process)
    return process


@pytest.mark.parametrize("commands", [from_compose, from_procfile], ids=["docker-compose.yml", "Procfile"])
def test_an_alert_goes_from_the_api_to_a_socket(site: Site, commands: Callable[[], Commands]) -> None:
    parts = commands()
    migrate(site, parts)
    for part in LONG_RUNNING:
        start(site, parts, part)
    site.processes[0].wait_ready(site.backend.base_url)
    user = new_user("shape")

    with site.socket(user) as socket:
        identity = site.send(user, "Order Shipped")
        frame = socket.expect("event", 30, event="alert", id=identity, seq=1, unread=1)

    assert frame["data"]["title"] == "Order Shipped"
    assert not (site.backend.var_dir / "secret").exists()  # production does not create secrets
    for process in reversed(site.processes):
        assert process.terminate() == 0, f"{process.name}:\n{process.tail()}"


def test_the_health_checks_of_compose_notice_a_dead_part(site: Site) -> None:
    parts = from_compose()
    migrate(site, parts)
    web, worker = start(site, parts, "web"), start(site, parts, "worker")
    web.wait_ready(site.backend.base_url)
    worker.wait_logged("ready.")
    assert healthy("web", web, site.backend)
    assert healthy("worker", worker, site.backend)

    for process in (web, worker):
        process.kill()

    assert not healthy("web", web, site.backend)
    assert not healthy("worker", worker, site.backend)


def healthy(part: str, process: Process, backend: Backend) -> bool:
    """Run the part's health check. In its container the process has pid 1, and the port is 3000."""
    kind, *words = compose()["services"][part]["healthcheck"]["test"]
    words = [w.replace("$$", "$").replace("notifier-1@", f"notifier-{process.pid}@") for w in words]
    words = [w.replace(":3000/", f":{backend.port}/") for w in words]
    if kind == "CMD-SHELL":
        words = ["/bin/sh", "-c", *words]
    done = subprocess.run(
        words, cwd=REPO, env=processes.clean_env(environment(part, backend)), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.returncode == 0


def test_what_a_wake_up_missed_goes_out_with_the_worker(site: Site) -> None:
    """Accept alerts while nothing else runs; then start the worker."""
    parts = from_compose()
    migrate(site, parts)
    start(site, parts, "web").wait_ready(site.backend.base_url)
    user = new_user("shape")
    identity = site.send(user)
    assert site.api.notification(identity).json["status"] == "accepted"

    start(site, parts, "worker")

    until(lambda: site.api.notification(identity).json["status"] == "dispatched", 30, "it is dispatched")
    site.arrived(user, 1)


def test_web_does_not_start_without_its_secrets(production: Backend) -> None:
    for name in ("NOTIFIER_SECRET", "NOTIFIER_API_KEYS"):
        env = environment("web", production)
        del env[name]
        done = processes.run(*from_compose()["web"], env=env)
        assert done.returncode != 0
        assert done.stderr.strip().splitlines()[-1].startswith(f"{name}:")


# Like the image: only one folder can be written, with the rights of a plain user.
CONFINED = """
mount --make-rprivate /
mount -t tmpfs -o mode=1777 tmpfs "$TMPDIR"
for place in $(cut -d" " -f2 /proc/self/mounts); do
    case "$place" in
        "$TMPDIR" | /dev* | /proc* | /sys*) ;;
        *) mount -o remount,bind,ro "$place" ;;
    esac
done
exec setpriv --reuid="$AS" --regid="$AS" --clear-groups --no-new-privs --inh-caps=-all --ambient-caps=-all \\
    --bounding-set=-all -- "$@"
"""
STARTS_ITSELF = "import os, sys; os.execv(sys.executable, [sys.executable, '-c', ''])"


def confined(*words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--mount", "sh", "-euc", CONFINED, "sh", *words], cwd=REPO, env=processes.clean_env(env),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def cage(tmp_path: Path) -> dict[str, str]:
    """Return the variables of a confined process.

    It runs as the image's user, if that user may run this Python; otherwise as root without capabilities.
    """
    if os.geteuid() != 0:
        pytest.skip("to mount a file system read-only, the tests have to run as root")
    folder = tmp_path / "writable"
    folder.mkdir()
    for user in ("10001", "0"):
        env = {"TMPDIR": str(folder), "NOTIFIER_VAR_DIR": str(folder / "notifier"), "AS": user}
        done = confined(str(processes.BIN / "python"), "-c", STARTS_ITSELF, env=env)
        if done.returncode == 0:
            return env
    pytest.skip(f"this machine lets nobody make a read-only file system: {done.stderr.strip()}")


def test_the_confinement_works(cage: dict[str, str], tmp_path: Path) -> None:
    for place in (tmp_path / "x", REPO / "x", Path("/tmp/x"), Path.home() / "x"):
        done = confined("touch", str(place), env=cage)
        assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr
    assert confined("touch", f"{cage['TMPDIR']}/x", env=cage).returncode == 0
    assert "CapEff:\t0000000000000000" in confined("cat", "/proc/self/status", env=cage).stdout


def test_every_part_runs_as_a_plain_user_on_a_read_only_file_system(site: Site, cage: dict[str, str]) -> None:
    parts = from_compose()
    migrated = confined(*parts["migrate"], env=environment("migrate", site.backend) | cage)
    assert migrated.returncode == 0, migrated.stderr
    for part in LONG_RUNNING:
        words = ["unshare", "--mount", "sh", "-euc", CONFINED, "sh", *parts[part]]
        env = environment(part, site.backend) | cage | {"NOTIFIER_WEB_PROCESSES": "2"}
        site.processes.append(Process(part, words, env=env, log=site.logs / f"{part}.log").start())
    site.processes[0].wait_ready(site.backend.base_url)
    user = new_user("cage")
    with site.socket(user) as socket:
        socket.expect("event", 30, id=site.send(user), seq=1)
    for process in site.processes:
        assert "Read-only" not in process.log.read_text(), process.tail()
        written = Path(f"/proc/{process.pid}/root{cage['TMPDIR']}")
        assert {one.name for one in written.iterdir()} <= {"notifier"}, process.name
    site.api.close()  # or web waits some seconds for its next call
    for process in reversed(site.processes):
        assert process.terminate() == 0, f"{process.name}:\n{process.tail()}"
