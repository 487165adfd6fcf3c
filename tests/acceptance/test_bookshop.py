"""An application with the library's wheel, beside the service's wheel.

The bookshop (examples/bookshop) has a `models.py`, a `worker.py`, a `web/` without `__init__.py`, a `migrations/`, tables
`notifications` and `devices`, psycopg2, and a Celery on Redis. Each test continues from the one before it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import EXPECTED, chrome, holds
from tests.harness import http_client, wheels
from tests.harness.backends import SECRET, open_backend
from tests.harness.nginx import PrivateNginx
from tests.harness.pages import blocks
from tests.harness.processes import REPO, Process, clean_env
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.site import Site
from tests.harness.waiting import free_port, until
from tests.harness.wheels import START_SECONDS, Environment

__all__ = ["chrome"]
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

PLACE_ORDERS = """
import json
from app import create_app
from celery import current_app
with create_app().test_client() as client:
    user_id = str(client.post("/sign-in/ada").json["id"])
    answers = [
        client.post("/orders", json=wanted).status_code
        for wanted in ({"book": "Emma"}, {"book": "Lost", "fails": True}, {"book": "Persuasion", "not_ready": True})
    ]
    page = client.get("/")
    assert "nonce-" in page.headers["Content-Security-Policy"] and "<notification-bell" in page.text
    print(json.dumps([user_id, answers, client.get("/notifier/token").json["token"]]))
assert current_app.main != "notifier", "the library took the place of the application's Celery"
"""


SEND_ONE = """
from app import create_app
from notices import notifier
with create_app().app_context():
    notifier.send("ada", {"title": "t", "message": "m", "type": "info"})
"""


@dataclass
class Bookshop:
    """The application's folder, its environments, and the service that runs in the same folder."""

    folder: Path
    environment: Environment
    env: dict[str, str]
    site: Site
    port: int = field(default_factory=free_port)

    @property
    def origin(self) -> str:
        """Where `flask run` serves it."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def serving(self, client_url: str) -> Iterator[None]:
        """Serve its pages, whose bell finds the service at `client_url`."""
        words = [self.environment.command("flask"), "run", "--port", str(self.port)]
        process = Process(
            "flask", words, env=self.env | {"NOTIFIER_CLIENT_URL": client_url}, cwd=self.folder,
            log=self.folder.parent / "flask.log",
        )  # fmt: skip
        process.start().wait_until(lambda: http_client.status(f"{self.origin}/") == 401, "serves pages")
        try:
            yield
        finally:
            process.terminate()

    def run(self, *words: str, fails: bool = False) -> str:
        """Run a command of the application's environment in its folder; return its output."""
        done = subprocess.run(
            [self.environment.command(words[0]), *words[1:]],
            cwd=self.folder, env=clean_env(self.env), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def python(self, program: str) -> str:
        """Run a Python program in the application's folder."""
        return self.run("python", "-c", program)

    def titles(self, user_id: str) -> list[str]:
        """Return a user's inbox, oldest first: titles of alerts, names of other events."""
        with self.site.user(user_id) as user:
            items = user.inbox().json["items"]
        return [item["data"].get("title", item["event"]) for item in reversed(items)]


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, Environment]:
    """The application's environment and the service's."""
    folder = tmp_path_factory.mktemp("bookshop")
    built = wheels.build(folder)
    wanted = (REPO / "examples" / "bookshop" / "requirements.txt").read_text().split()
    application = Environment.make(folder / "application", str(built.library), *wanted)
    return application, Environment.make(folder / "service", str(built.library), str(built.service))


@pytest.fixture(scope="module", params=["embedded", pytest.param("production", marks=pytest.mark.long)])
def bookshop(
    request: pytest.FixtureRequest,
    environments: tuple[Environment, Environment],
    tmp_path_factory: pytest.TempPathFactory,
    rabbit_server: SharedRabbit,
) -> Iterator[Bookshop]:
    """The application with its own tables migrated, and the service started in its folder."""
    application, service = environments
    folder = tmp_path_factory.mktemp("shop") / "bookshop"
    shutil.copytree(REPO / "examples" / "bookshop", folder, ignore=shutil.ignore_patterns("__pycache__"))
    rabbit = rabbit_server if request.param == "production" else None
    with open_backend(request.param, folder / "var", rabbit) as backend:
        theirs = backend.database_url.replace("postgresql+psycopg:", "postgresql+psycopg2:")
        (folder / "var").mkdir(exist_ok=True)
        env = backend.env | {
            "FLASK_APP": "app",
            "SHOP_DATABASE_URL": theirs,
            "NOTIFIER_DATABASE_URL": theirs,
            "NOTIFIER_SECRET": SECRET,
            "CELERY_RESULT_BACKEND": "redis://127.0.0.1:1/0",
            "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        }
        site = Site(backend, folder.parent)
        shop = Bookshop(folder, application, env, site)
        shop.run("flask", "db", "init")
        shop.run("flask", "db", "migrate", "-m", "first")
        shop.run("flask", "db", "upgrade")
        shop.run("flask", "notifier", "definitions", "definitions.json")
        served = {
            "NOTIFIER_DEFINITIONS": "definitions.json",
            "NOTIFIER_ALLOWED_ORIGINS": shop.origin,
            "NOTIFIER_PROXY_HOPS": "1",
        }
        process = Process(
            "up", [service.command("notifier"), "up"], cwd=folder, log=folder.parent / "up.log",
            env=env | served,
        )  # fmt: skip
        backend.env["NOTIFIER_SECRET"] = SECRET
        site.processes.append(process.start().wait_ready(backend.base_url, START_SECONDS))
        yield shop
        site.close()


def test_before_the_service_has_migrated_the_error_says_what_to_run(
    bookshop: Bookshop, tmp_path: Path
) -> None:
    empty = dict.fromkeys(("SHOP_DATABASE_URL", "NOTIFIER_DATABASE_URL"), f"sqlite:///{tmp_path}/empty.db")
    shop = replace(bookshop, env=bookshop.env | empty)
    assert "run: notifier migrate" in shop.run("python", "-c", SEND_ONE, fails=True)


def test_an_application_on_another_database_is_told_so(bookshop: Bookshop, tmp_path: Path) -> None:
    shop = replace(bookshop, env=bookshop.env | {"SHOP_DATABASE_URL": f"sqlite:///{tmp_path}/theirs.db"})
    assert "WrongDatabase: this session is on another" in shop.run("python", "-c", SEND_ONE, fails=True)


def test_orders_send_alerts_in_their_transactions(bookshop: Bookshop) -> None:
    user_id, answers, token = json.loads(bookshop.python(PLACE_ORDERS))
    assert answers == [201, 409, 201]
    expected = ["Order received", "book-ready", "Order received"]
    until(lambda: bookshop.titles(user_id) == expected, 30, "what was committed arrives, and nothing else")
    assert bookshop.site.backend.token(user_id).split(".")[0] == token.split(".")[0]
    socket = bookshop.site.open()
    socket.enter(token, None)
    socket.close()


def an_order_shows_in_the_bell(chrome: Browser, origin: str, name: str) -> None:
    """Sign a customer in, open the page, order a book: the alert is in the bell."""
    with closing(chrome.new_context(base_url=origin)) as context:
        page, trouble = context.new_page(), list[str]()
        page.on("console", lambda said: trouble.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        assert context.request.post(f"/sign-in/{name}").status == 200
        page.goto("/")
        holds(page, "document.querySelector('notification-bell').client?.state === 'live'")
        answer = context.request.post("/orders", data={"book": "Emma", "not_ready": True})
        assert answer.status == 201
        holds(page, "document.querySelector('notification-bell').client.store.unread === 1")
        page.locator("notification-bell .bell").click()
        expect(page.locator("notification-bell article")).to_contain_text("Order received")
        assert [line for line in trouble if not EXPECTED.search(line)] == []  # the shop has no icon


@pytest.mark.browser
def test_an_alert_is_in_the_bell_of_the_applications_page(chrome: Browser, bookshop: Bookshop) -> None:
    with bookshop.serving(bookshop.site.backend.base_url):
        an_order_shows_in_the_bell(chrome, bookshop.origin, "bea")


@pytest.mark.browser
def test_the_service_below_a_path_of_the_applications_origin(chrome: Browser, bookshop: Bookshop) -> None:
    service = f"127.0.0.1:{bookshop.site.backend.port}"
    [_, taken_off] = blocks("docs/deploy.md", "nginx", "Below a path")
    proxy = PrivateNginx()
    proxy.configure(
        "map $http_upgrade $connection_upgrade { '' ''; default upgrade; }\n"
        f"server {{\nlisten 127.0.0.1:{proxy.port};\n{taken_off.replace('127.0.0.1:3000', service)}\n"
        f"location / {{ proxy_pass {bookshop.origin}; proxy_set_header Host $http_host; }}\n}}\n"
    )
    with bookshop.serving("/notify"), proxy:
        an_order_shows_in_the_bell(chrome, f"http://127.0.0.1:{proxy.port}", "cyd")


def test_the_applications_autogenerate_finds_nothing(bookshop: Bookshop) -> None:
    assert "No changes in schema detected" in bookshop.run("flask", "db", "migrate", "-m", "second")
    assert "notifier_" not in "".join(
        file.read_text() for file in (bookshop.folder / "migrations").rglob("*.py")
    )


def test_the_service_knows_the_applications_events(bookshop: Bookshop) -> None:
    api = bookshop.site.api
    ready = {"user_id": "reader", "event": "book-ready"}
    assert api.post("/api/notifications", ready | {"data": {"book": "Emma", "counter": 1}}).status == 202
    refused = api.post("/api/notifications", ready | {"data": {"book": "Emma", "counter": "one"}})
    assert (refused.status, refused.json["errors"][0]["loc"]) == (422, ["data", "counter"])
    unknown = api.post("/api/notifications", {"user_id": "reader", "event": "book-lost", "data": {}})
    assert (unknown.status, unknown.json["errors"][0]["loc"]) == (422, ["event"])


def test_a_task_of_the_applications_own_celery_sends(bookshop: Bookshop) -> None:
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    logs = bookshop.folder.parent
    redis = Process(
        "redis", [server, "--port", str(port), "--save", ""], env={}, log=logs / "redis.log", cwd=logs
    )
    redis.start().wait_logged("Ready to accept connections")
    own = {"SHOP_REDIS": f"redis://127.0.0.1:{port}/0", "CELERY_RESULT_BACKEND": f"redis://127.0.0.1:{port}/0",
           "CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0"}  # fmt: skip
    shop = Bookshop(bookshop.folder, bookshop.environment, bookshop.env | own, bookshop.site)
    words = [
        shop.environment.command("celery"),
        "-A",
        "worker",
        "worker",
        "--pool",
        "solo",
        "--loglevel",
        "INFO",
    ]
    worker = Process("celery", words, env=shop.env, log=logs / "celery.log", cwd=shop.folder)
    worker.start().wait_logged(" ready.")
    shop.python("from worker import remind; print(remind.delay('reminded', 'Emma').get(timeout=30))")
    until(lambda: shop.titles("reminded") == ["Still here"], 30, "the reminder arrives")
    worker.terminate()
    redis.terminate()


def test_the_applications_own_tests_need_no_server(bookshop: Bookshop) -> None:
    shop = Bookshop(bookshop.folder, bookshop.environment, {}, bookshop.site)
    assert "3 passed" in shop.run("python", "-m", "pytest", "-q", "tests")
