"""An application whose own Celery is on Redis, with CELERY_… in its environment.

It sends through the library, and neither Celery disturbs the other.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness.pages import blocks
from tests.harness.processes import REPO, clean_env
from tests.harness.services import missing
from tests.harness.site import Site, new_user

pytest.importorskip("redis")
REDIS = os.environ.get("NOTIFIER_TEST_REDIS", "redis://127.0.0.1:6379/9")

APPLICATION = """
import sys
from celery import Celery, shared_task, current_app

app = Celery("shop", broker=BROKER)
app.set_default()

@shared_task(name="shop.bill")
def bill(order):
    raise NotImplementedError

user, queue = sys.argv[1:]
bill.apply_async((1,), queue=queue)
SEND
assert current_app.main == "shop", current_app
bill.apply_async((2,), queue=queue)
"""
PYTHON_API = """
from notifier import Alert, send_notification
from notifier.send import default_sender
send_notification(user, Alert(title="By Python", message="m", type="info"))
assert default_sender().waker.flush(10)
"""
BY_NAME = 'tell(user, "By name", "m")\n'


class Redis:
    """A plain connection to Redis, to read the application's queue."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            self._socket = socket.create_connection((parts.hostname or "", parts.port or 6379), 2)
        except OSError as exc:
            raise missing(f"Redis does not answer at {url}: {exc}") from None
        self._file = self._socket.makefile("rb")
        self.ask("SELECT", parts.path.strip("/") or "0")

    def ask(self, *words: str) -> bytes:
        self._socket.sendall((" ".join(words) + "\r\n").encode())
        return self._file.readline().strip()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def queue() -> Iterator[tuple[Redis, str]]:
    """Yield the name of an application's queue for this test."""
    redis, name = Redis(REDIS), new_user("shop")
    yield redis, name
    redis.ask("DEL", name)
    redis.close()


def foreign() -> dict[str, str]:
    """Return the environment of such an application."""
    return {
        "CELERY_BROKER_URL": REDIS, "CELERY_BROKER_READ_URL": REDIS, "CELERY_BROKER_WRITE_URL": REDIS,
        "CELERY_RESULT_BACKEND": REDIS, "CELERY_LOADER": "default", "CELERY_CONFIG_MODULE": "no_such_module",
    }  # fmt: skip


def run(program: str, *arguments: str, env: dict[str, str], folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments], env=clean_env(env), cwd=folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_python_api_beside_a_celery_on_redis(site: Site, queue: Any, tmp_path: Path) -> None:
    redis, name = queue
    user = new_user("redis")
    program = APPLICATION.replace("BROKER", repr(REDIS)).replace("SEND", PYTHON_API)
    with site.socket(user) as socket_:
        # The last two would keep the application's own Celery from starting.
        own = {name: value for name, value in foreign().items() if name.endswith(("URL", "BACKEND"))}
        env = site.backend.env | own
        run(program, user, name, env=env, folder=tmp_path)
        assert socket_.expect("event", 10)["data"]["title"] == "By Python"
    assert redis.ask("LLEN", name) == b":2"


def test_the_documented_tasks_by_name_beside_a_celery_on_redis(
    site: Site, queue: Any, tmp_path: Path
) -> None:
    if site.backend.kind == "embedded":
        pytest.skip("by name over RabbitMQ")
    redis, name = queue
    [snippet] = blocks("docs/python-api.md", "python", "Celery, by name")
    snippet = snippet.replace("amqp://guest:guest@127.0.0.1:5672//", site.backend.broker_url)
    user = new_user("named")
    program = APPLICATION.replace("BROKER", repr(REDIS)).replace("SEND", snippet + "\n" + BY_NAME)
    with site.socket(user) as socket_:
        run(program, user, name, env={}, folder=tmp_path)
        events = [socket_.expect("event", 10), socket_.expect("event", 10)]
    assert {event["event"] for event in events} == {"alert", "badge"}
    assert redis.ask("LLEN", name) == b":2"


@pytest.mark.parametrize("name", sorted(foreign()))
def test_no_variable_of_another_celery_changes_our_applications(name: str, tmp_path: Path) -> None:
    """Check the waker's and the worker's application, as `celery -A worker.app` makes it."""
    program = """
import json
from notifier.settings import Settings
from notifier.wake import Waker
from worker.app import app
settings = Settings.load()
waker, connection = Waker(settings)._make()
print(json.dumps([
    [one.conf.broker_url, one.conf.broker_read_url, one.conf.broker_write_url, one.conf.result_backend,
     type(one.loader).__name__, type(one.backend).__name__]
    for one in (waker, app)
]))
"""
    env = {"NOTIFIER_VAR_DIR": str(tmp_path), "NOTIFIER_BROKER_URL": "amqp://ours//", name: foreign()[name]}
    done = subprocess.run(
        [sys.executable, "-c", program], env=clean_env(env), cwd=REPO, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours = ["amqp://ours//"] * 3 + [None, "AppLoader", "DisabledBackend"]
    assert json.loads(done.stdout) == [ours, ours]
