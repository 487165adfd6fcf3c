"""docs/contract.md, section 1: each command alone, and the usual tools from the repository's root."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.harness import processes
from tests.harness.backends import SECRET, Backend
from tests.harness.processes import BIN, REPO, clean_env, run
from tests.harness.site import Site
from tests.harness.waiting import until


@pytest.fixture
def apart(backend: Backend, tmp_path: Path) -> Iterator[Site]:
    """Yield a migrated backend without a process."""
    site = Site(backend, tmp_path)
    assert run("notifier", "migrate", env=backend.env).returncode == 0
    yield site
    site.close()


def test_send_prints_the_accepted_id_and_the_alert_arrives(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        done = run(
            "notifier", "send", user, "--title", "Order Shipped", "--message", "On its way",
            "--type", "success", "--action-label", "Track", "--action-url", "/orders/7", env=site.backend.env,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        event = socket.expect("event", seq=1, id=done.stdout.strip())
    assert event["data"] == {
        "title": "Order Shipped", "message": "On its way", "type": "success",
        "action": {"label": "Track", "url": "/orders/7"},
    }  # fmt: skip


def test_send_with_an_id_of_ones_own_sends_once(site: Site, user: str) -> None:
    identity = str(uuid.uuid4())
    words = ("notifier", "send", user, "--title", "t", "--message", "m", "--id", identity)
    assert [run(*words, env=site.backend.env).stdout.strip() for _ in range(2)] == [identity] * 2
    site.send(user)
    site.arrived(user, 2)
    with site.user(user) as api:
        assert api.inbox().json["seq"] == 2


def test_send_refuses_bad_input_with_a_clear_line(site: Site, user: str) -> None:
    before = site.rows("notifications")
    done = run(
        "notifier", "send", user, "--title", "t", "--message", "m", "--action-label", "x", "--action-url",
        "javascript:alert(1)", env=site.backend.env,
    )  # fmt: skip
    assert done.returncode != 0
    assert "url" in done.stderr
    assert "Traceback" not in done.stderr
    assert site.rows("notifications") == before


def test_badge_sets_a_badge(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        done = run("notifier", "badge", user, "messages", "3", env=site.backend.env)
        assert done.returncode == 0, done.stderr
        socket.expect("event", event="badge", data={"type": "messages", "count": 3})
    assert run("notifier", "badge", user, "messages", "-1", env=site.backend.env).returncode != 0
    assert run("notifier", "badge", user, "mails", "1", env=site.backend.env).returncode != 0


def test_token_prints_a_token_that_opens_a_socket(site: Site, user: str) -> None:
    done = run("notifier", "token", user, "--ttl", "60", env=site.backend.env)
    token = done.stdout.strip()
    claims = jwt.decode(token, site.backend.secret, algorithms=["HS256"])
    assert claims["sub"] == user
    with site.open() as socket:
        socket.enter(token)


def test_tail_prints_each_event_as_a_json_line(site: Site, user: str, tmp_path: Path) -> None:
    out = tmp_path / "tail.log"
    tail = processes.notifier("tail", user, env=site.backend.env, log=out).start()

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in out.read_text().splitlines() if line.startswith("{")]

    sent = []

    def heard_first() -> bool:
        sent.append(site.send(user))
        return bool(lines())

    until(heard_first, 15, "tail prints")
    sent.append(site.send(user))
    until(lambda: lines()[-1]["id"] == sent[-1], 10, "tail prints the last")
    seqs = [line["seq"] for line in lines()]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert {line["op"] for line in lines()} == {"event"}
    tail.terminate(number=signal.SIGINT)


def test_web_and_worker_together_are_complete(apart: Site, user: str) -> None:
    apart.start("web").wait_ready(apart.backend.base_url)
    identity = apart.send(user)
    assert apart.api.notification(identity).json["status"] == "accepted"
    with apart.socket(user) as socket:
        apart.start("worker")
        apart.send(user)
        socket.expect("event", seq=1, id=identity, seconds=20)
        socket.expect("event", seq=2)


def test_a_worker_with_a_concurrency_of_two_has_a_pool_of_two(apart: Site, user: str) -> None:
    worker = apart.start("worker", "--concurrency", "2").wait_logged("ready")
    until(lambda: len(worker.children()) == 2, 10, "two children")
    apart.start("web").wait_ready(apart.backend.base_url)
    with apart.socket(user) as socket:
        socket.expect("event", seq=1, id=apart.send(user))


def test_a_second_migrate_changes_nothing_and_alembic_agrees(apart: Site) -> None:
    assert run("notifier", "migrate", env=apart.backend.env).returncode == 0
    for words in (("alembic", "upgrade", "head"), ("alembic", "check")):
        done = run(*words, env=apart.backend.env)
        assert done.returncode == 0, done.stderr


def test_alembic_alone_goes_up_and_down(backend: Backend) -> None:
    for words in (("upgrade", "head"), ("downgrade", "base"), ("upgrade", "head")):
        done = run("alembic", *words, env=backend.env)
        assert done.returncode == 0, done.stderr


def test_celery_and_gunicorn_by_their_own_commands(apart: Site, user: str, tmp_path: Path) -> None:
    worker = processes.command(
        "celery", "-A", "worker.app", "worker", env=apart.backend.env, log=tmp_path / "celery.log"
    )
    web = processes.command(
        "gunicorn", "-c", "gunicorn.conf.py", env=apart.backend.env, log=tmp_path / "gunicorn.log"
    )
    apart.processes += [worker.start(), web.start()]
    web.wait_ready(apart.backend.base_url)
    with apart.socket(user) as socket:
        identity = apart.send(user)
        socket.expect("event", seq=1, id=identity, seconds=20)


def test_flask_routes_lists_the_calls(apart: Site) -> None:
    done = run("flask", "--app", "web", "routes", env=apart.backend.env)
    assert done.returncode == 0, done.stderr
    for path in ("/api/notifications", "/api/badges", "/api/inbox", "/ws", "/healthz", "/openapi.json"):
        assert path in done.stdout


def test_any_celery_producer_can_enqueue_by_name(site: Site, user: str) -> None:
    producer = """
import os, sys
from worker.app import app
user = sys.argv[1]
data = {"title": "By name", "message": "m", "type": "info"}
app.send_task("notifier.send_notification", kwargs={"user_id": user, "data": data, "id": sys.argv[2]})
app.send_task("notifier.update_badge", kwargs={"user_id": user, "type": "tasks", "count": 4})
"""
    identity = str(uuid.uuid4())
    with site.socket(user) as socket:
        done = subprocess.run(
            [sys.executable, "-c", producer, user, identity], env=clean_env(site.backend.env), cwd=REPO,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        events = {event["event"]: event for event in (socket.expect("event"), socket.expect("event"))}
    assert events["alert"]["id"] == identity
    assert events["badge"]["data"] == {"type": "tasks", "count": 4}


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        ("web", "NOTIFIER_PORT", "many"), ("worker", "NOTIFIER_PORT", "70000"),
        ("up", "NOTIFIER_SECRET", "short"),
        ("migrate", "NOTIFIER_DATABASE_URL", "mysql://x"),
        ("web", "NOTIFIER_BROKER_URL", "carrier-pigeon://x"),
        ("up", "NOTIFIER_ALLOWED_ORIGINS", "not an origin"), ("web", "NOTIFIER_DEMO", "perhaps"),
    ],
)  # fmt: skip
def test_a_wrong_setting_stops_the_start_with_a_line_that_names_it(
    tmp_path: Path, command: str, name: str, value: str
) -> None:
    done = run("notifier", command, env={"NOTIFIER_VAR_DIR": str(tmp_path / "var"), name: value})
    assert done.returncode != 0
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize("missing", ["NOTIFIER_SECRET", "NOTIFIER_API_KEYS"])
def test_production_does_not_start_without_its_secrets(tmp_path: Path, missing: str) -> None:
    env = {
        "NOTIFIER_VAR_DIR": str(tmp_path), "NOTIFIER_DATABASE_URL": "postgresql+psycopg://127.0.0.1:1/x",
        "NOTIFIER_BROKER_URL": "amqp://127.0.0.1:1//", "NOTIFIER_SECRET": SECRET, "NOTIFIER_API_KEYS": "key",
    }  # fmt: skip
    del env[missing]
    done = run("notifier", "web", env=env)
    assert done.returncode != 0
    assert missing in done.stderr
    assert "Traceback" not in done.stderr


def test_the_secrets_of_the_embedded_default_are_private(site: Site) -> None:
    if site.backend.kind != "embedded":
        pytest.skip("production is given its secrets")
    for name in ("secret", "api-key"):
        assert stat.S_IMODE((site.backend.var_dir / name).stat().st_mode) == 0o600


def test_importing_the_package_starts_and_connects_nothing(tmp_path: Path) -> None:
    code = """
import sys, threading
import notifier
assert threading.active_count() == 1, threading.enumerate()
loaded = {"sqlalchemy", "celery", "kombu", "flask", "gevent"} & set(sys.modules)
assert not loaded, loaded
from notifier import Alert, define_event, send_notification, update_badge
assert threading.active_count() == 1, threading.enumerate()
"""
    env = clean_env({"NOTIFIER_VAR_DIR": str(tmp_path / "var")})
    done = subprocess.run(
        [str(BIN / "python"), "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "var").exists()
