"""Every task reaches a worker, and every route says who may call it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from click.testing import CliRunner
from flask import Flask

from notifier import wake
from notifier.broker.topology import REACH_QUEUE, TASK_QUEUE
from notifier.core.life import FIELDS
from tests.harness.world import settings
from web.app import create_app
from web.runtime import EXTENSION

#: The documented names: any producer may enqueue these two.
PUBLIC = {"notifier.send_notification", "notifier.update_badge"}

#: Routes that anybody may call, each with its reason.
OPEN = {
    "/healthz": "tells that this process answers",
    "/readyz": "tells what can be reached, and nothing else",
    "/api/push/read": "a token for one entry",
    "/unsubscribe": "a token for this purpose",
    "/metrics": "numbers for Prometheus",
    "/openapi.json": "the API's description",
    "/ws": "the socket's own hello carries the token",
    "/client/<path:name>": "the browser's files",
}
#: Served only when DEMO is on.
DEMO_BLUEPRINT = "shop"
#: Pages with ways in of their own: `tests/integration/test_authorisation.py` has those of the dashboard.
PAGES = (DEMO_BLUEPRINT, "dashboard")


@pytest.fixture(scope="module")
def celery_app() -> Celery:
    from worker.app import app

    app.loader.import_default_modules()
    return app


@pytest.fixture
def web_app(tmp_path: Path) -> Iterator[Flask]:
    """The web application on the embedded default, with the demo on."""
    from notifier import send

    app = create_app(settings(var_dir=tmp_path, demo=True))
    yield app
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


def own_tasks(app: Celery) -> dict[str, Any]:
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


# ---------------------------------------------------------------------- tasks


def test_every_task_is_named_by_hand(celery_app: Celery) -> None:
    names = set(own_tasks(celery_app))
    assert names >= PUBLIC | {wake.SEND, wake.CHUNK}
    assert all(name.startswith("notifier.") for name in names)


def test_every_task_has_a_route_to_the_one_queue(celery_app: Celery) -> None:
    for name in own_tasks(celery_app):
        queue = REACH_QUEUE if name == "notifier.reach" else TASK_QUEUE
        assert celery_app.conf.task_routes.get(name) == {"queue": queue}, f"{name} has no route"
        assert celery_app.amqp.router.route({}, name)["queue"].name == queue


def test_no_route_leads_to_a_task_that_is_not_there(celery_app: Celery) -> None:
    assert set(celery_app.conf.task_routes) == set(own_tasks(celery_app))


def test_no_task_is_scheduled(celery_app: Celery) -> None:
    """Each worker sweeps and purges by itself."""
    assert not celery_app.conf.beat_schedule


def test_what_beat_of_an_earlier_version_enqueues_does_no_harm(celery_app: Celery) -> None:
    celery_app.tasks["notifier.sweep"]()
    celery_app.tasks["notifier.purge"]()
    celery_app.tasks["notifier.purge"](after="u1")


def test_a_worker_consumes_that_queue(celery_app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    """`notifier worker` is Celery's worker with the application of `worker.app`, whose default queue it consumes."""
    from cli import main, servers

    commands: list[list[str]] = []

    def keep(*words: Any) -> None:
        commands.append([str(word) for word in (words[1] if len(words) > 1 else words[0])])

    for name in ("execv", "execve", "execvp", "execvpe"):
        monkeypatch.setattr(f"os.{name}", keep)
    CliRunner().invoke(main.main, ["worker"])
    source = inspect.getsource(servers)
    assert commands or "worker.app" in source
    for command in commands:
        assert command[1:4] == ["-P", "-m", "worker"]
        assert "from worker.app import app" in inspect.getsource(importlib.import_module("worker.__main__"))
        assert not {"-Q", "--queues", "-X", "--exclude-queues"} & set(command)
    assert celery_app.conf.task_default_queue == TASK_QUEUE


def test_the_public_tasks_take_what_the_contract_says(celery_app: Celery) -> None:
    takes = {
        name: set(inspect.signature(celery_app.tasks[name].run).parameters) - {"unknown"} for name in PUBLIC
    }
    assert takes["notifier.send_notification"] == {"user_id", "user_ids", "data", "event", "id", *FIELDS}
    assert takes["notifier.update_badge"] >= {"user_id", "type", "count"}


def test_a_task_that_a_crash_interrupts_is_delivered_again(celery_app: Celery) -> None:
    for name, task in own_tasks(celery_app).items():
        assert task.acks_late, name
        assert task.reject_on_worker_lost, name
        assert task.ignore_result, name


# ---------------------------------------------------------------------- routes


def test_every_route_says_who_may_call_it(web_app: Flask) -> None:
    for route in web_app.url_map.iter_rules():
        view = web_app.view_functions[route.endpoint]
        if route.endpoint.partition(".")[0] in PAGES:
            continue
        access = getattr(view, "access", "open" if route.rule in OPEN else None)
        assert access in ("backend", "user", "user or backend", "open"), (
            f"{route.rule} says nothing about who may call it"
        )
        assert (access == "open") == (route.rule in OPEN), f"{route.rule} is {access}"


def test_every_route_listed_as_open_exists(web_app: Flask) -> None:
    assert set(OPEN) <= {route.rule for route in web_app.url_map.iter_rules()}


def test_every_route_under_api_is_closed(web_app: Flask) -> None:
    access = {
        route.rule: getattr(web_app.view_functions[route.endpoint], "access", None)
        for route in web_app.url_map.iter_rules()
        if route.rule.startswith("/api/")
    }
    assert {rule: who for rule, who in access.items() if rule.startswith("/api/inbox")} == {
        "/api/inbox": "user",
        "/api/inbox/read": "user",
        "/api/inbox/unread": "user",
        "/api/inbox/archive": "user",
        "/api/inbox/seen": "user",
        "/api/inbox/snooze": "user",
        "/api/inbox/unsnooze": "user",
    }
    assert {rule: who for rule, who in access.items() if rule.startswith("/api/push")} == {
        "/api/push/key": "user",
        "/api/push/subscriptions": "user",
        "/api/push/read": "open",  # by the token of a push message
    }
    prefixes = ("/api/inbox", "/api/push")
    others = {rule: who for rule, who in access.items() if not rule.startswith(prefixes)}
    assert others.pop("/api/preferences") == "user or backend"
    assert set(others.values()) == {"backend"}


def test_a_closed_route_refuses_a_caller_without_credentials(web_app: Flask) -> None:
    client = web_app.test_client()
    for route in web_app.url_map.iter_rules():
        if getattr(web_app.view_functions[route.endpoint], "access", "open") == "open":
            continue
        if route.endpoint.partition(".")[0] in PAGES:
            continue
        path = route.rule.replace("<id>", "7").replace("<name>", "daily")
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}:
            answer = client.open(path, method=method)
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            answer.close()


def test_the_demo_does_not_exist_unless_it_is_on(tmp_path: Path) -> None:
    from notifier import send

    app = create_app(settings(var_dir=tmp_path, demo=False))
    endpoints = {route.endpoint.partition(".")[0] for route in app.url_map.iter_rules()}
    assert DEMO_BLUEPRINT not in endpoints
    app.extensions[EXTENSION].database.dispose()
    send.use(None)
