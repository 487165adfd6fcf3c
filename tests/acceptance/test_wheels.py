"""The two wheels, each installed in a new environment, and used there."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.harness import http_client, wheels
from tests.harness.backends import embedded
from tests.harness.processes import Process
from tests.harness.site import Site
from tests.harness.wheels import START_SECONDS, Environment, Wheels

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

SERVICE = {"models", "usecases", "monitoring", "worker", "web", "cli", "client", "migrations", "examples"}
LIBRARY_NEEDS = {
    "blinker", "celery", "kombu", "orjson", "pydantic", "pydantic-settings", "pyjwt", "sqlalchemy", "uuid-utils",
}  # fmt: skip
THEIR_NEEDS = {
    "amqp", "annotated-types", "billiard", "click", "click-didyoumean", "click-plugins", "click-repl",
    "greenlet", "packaging", "prompt-toolkit", "pydantic-core", "python-dateutil",
    "python-dotenv", "six", "typing-extensions", "typing-inspection", "tzdata", "tzlocal", "vine", "wcwidth",
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return wheels.build(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def library(built: Wheels, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment.make(tmp_path_factory.mktemp("library") / "env", str(built.library))


@pytest.fixture(scope="module")
def service(built: Wheels, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment.make(
        tmp_path_factory.mktemp("service") / "env", str(built.library), str(built.service)
    )


def top_level(wheel: Path) -> set[str]:
    """Return the names that can be imported from a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name.split("/")[0] for name in archive.namelist() if ".dist-info/" not in name}


def test_each_wheel_has_its_own_packages(built: Wheels) -> None:
    assert top_level(built.library) == {"notifier"}
    assert top_level(built.service) == SERVICE | {"live_notifications_service.py"}


def test_the_library_brings_what_sending_needs_and_nothing_else(library: Environment) -> None:
    assert library.installed() - {"live-notifications"} - LIBRARY_NEEDS <= THEIR_NEEDS


SEND = """
from notifier import Alert, send_notification
from notifier.outbox.engine import make_engine
from notifier.outbox.tables import metadata
from notifier.settings import Settings
metadata.create_all(make_engine(Settings.load().database_url))
print(send_notification("user-7", Alert(title="Shipped", message="On its way.", type="success")))
import sys
assert not SERVICE & {name.partition(".")[0] for name in sys.modules}
"""


def test_the_library_alone_sends(library: Environment, tmp_path: Path) -> None:
    told = library.run(SEND.replace("SERVICE", repr(SERVICE)), cwd=tmp_path)
    assert re.fullmatch(r"[0-9a-f-]{36}\n", told)


def up(service: Environment, folder: Path, env: dict[str, str] | None = None) -> Site:
    """Run `notifier up` in a folder, and wait until it is ready."""
    backend = embedded(folder / "var")
    settings = {**backend.env, **(env or {})}
    process = Process(
        "up", [service.command("notifier"), "up"], env=settings, log=folder.parent / "log", cwd=folder
    )
    site = Site(backend, folder.parent)
    site.processes.append(process.start().wait_ready(backend.base_url, START_SECONDS))
    return site


def test_the_service_serves_from_an_empty_folder(service: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    site = up(service, folder)
    with site.socket("user-7") as socket:
        identity = site.send("user-7")
        socket.expect("event", seq=1, id=identity)
    # The files of the client, the demo shop, the description of the API.
    for path in ("/client/bell.js", "/client/bundle/bell.js", "/", "/openapi.json"):
        assert http_client.status(f"{site.backend.base_url}{path}") == 200
    site.close()


#: An application's modules and packages, which would end a process that imported them.
HOSTILE = "raise SystemExit('the application was imported: ' + __name__)"
NEIGHBOURS = (
    "models.py", "worker.py", "monitoring.py", "usecases.py", "cli.py", "celery.py", "limits.py", "flask.py",
    "gunicorn.py", "client/__init__.py", "web/views.py", "migrations/env.py", "tests/__init__.py", "alembic.ini",
    "gunicorn.conf.py", "celeryconfig.py", "orjson.py", "logging.py",
)  # fmt: skip
THEIR_ENVIRONMENT = {
    "CELERY_RESULT_BACKEND": "redis://127.0.0.1:1/0", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "CELERY_CONFIG_MODULE": "celeryconfig", "BROKER_URL": "redis://127.0.0.1:1/0", "APP": "theirs",
    "RESULT_BACKEND": "redis://127.0.0.1:1/0", "CELERY_WORKER_CONCURRENCY": "3", "WORKDIR": "/nowhere",
    "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:1 --workers 7", "WEB_CONCURRENCY": "7", "FLASK_APP": "theirs",
}  # fmt: skip


def test_the_service_serves_from_the_folder_of_an_application(service: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "application"
    for name in NEIGHBOURS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(HOSTILE)
    source = tmp_path / "source"
    shutil.copytree(folder, source)
    (source / "logging.py").unlink()  # Python itself finds the standard library after PYTHONPATH
    (source / "notifier.py").write_text(HOSTILE)
    theirs = {"PYTHONPATH": f"{source}{os.pathsep}{tmp_path}"}
    site = up(service, folder, THEIR_ENVIRONMENT | theirs)
    with site.socket("user-7") as socket:
        identity = site.send("user-7")
        socket.expect("event", seq=1, id=identity)
    for command in ("verify", "report daily", "token user-7"):
        words = [service.command("notifier"), *command.split()]
        process = Process("cli", words, env=site.backend.env | theirs, log=tmp_path / "cli.log", cwd=folder)
        assert process.start().wait(30) == 0, process.tail()
    site.close()
    log = (tmp_path / "log").read_text()
    assert "was imported" not in log
    assert "started again" not in log
