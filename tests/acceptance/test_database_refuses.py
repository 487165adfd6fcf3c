"""While the database refuses all work, callers get 503 in time, sockets 1012, and no row uses up attempts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import pytest
import sqlalchemy as sa

from tests.harness import backends, postgres
from tests.harness.backend_api import BackendApi
from tests.harness.http_client import Response
from tests.harness.plain_socket import Socket
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.scrape import scrape
from tests.harness.site import Site, new_user, running_site
from tests.harness.waiting import until

pytestmark = pytest.mark.timeout(180)

LOCK = "LOCK TABLE notifier_notifications, notifier_devices IN ACCESS EXCLUSIVE MODE"


@pytest.fixture(scope="module")
def site(rabbit_server: SharedRabbit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a private site: the test changes its database's settings."""
    folder = tmp_path_factory.mktemp("refuses")
    with (
        backends.open_backend("production", folder / "var", rabbit_server) as backend,
        running_site(backend, folder) as started,
    ):
        yield started


@contextmanager
def configured(site: Site, setting: str) -> Iterator[None]:
    """Change a setting of the database, for all connections, until the end of the block."""
    name = postgres.database_name(site.backend.database_url)

    def alter(what: str) -> None:
        postgres.execute(postgres.shared_url(), f'ALTER DATABASE "{name}" {what}')
        postgres.execute(
            postgres.shared_url(),
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            " AND application_name = 'notifier'",
        )

    alter(f"SET {setting}")
    yield
    alter("RESET ALL")


@contextmanager
def locked(site: Site, statement: str = LOCK) -> Iterator[None]:
    engine = sa.create_engine(site.backend.database_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
        yield
        connection.rollback()


def timed(site: Site, user: str) -> tuple[Response, float]:
    begun = time.monotonic()
    with BackendApi(site.backend.base_url, site.backend.api_key, timeout=20) as patient:
        return patient.send(user), time.monotonic() - begun


def works(site: Site, user: str) -> None:
    until(lambda: site.api.send(user).status == 202, 20, "posts are accepted again")


@pytest.mark.parametrize(
    ("setting", "lock"),
    [
        ("default_transaction_read_only = on", False),
        ("lock_timeout = '200ms'", True),
        ("statement_timeout = '200ms'", True),
    ],
)
def test_a_post_is_503_and_a_hello_is_closed_with_1012(site: Site, setting: str, lock: bool) -> None:
    user = new_user("refused")
    site.send(user)
    site.arrived(user, 1)
    began = site.processes[0].log.stat().st_size
    with configured(site, setting), locked(site) if lock else nullcontext():
        if not lock:
            until(lambda: site.api.get("/readyz").status == 503, 10, "/readyz says so")
            assert site.api.get("/readyz").json["database"] == "read-only"
            assert scrape(site.backend.base_url)["notifier_database_state state=read-only"] == 1
        answers = [timed(site, user) for _ in range(30)]
        for answer, seconds in answers:
            assert answer.status == 503, answer
            assert int(answer.headers["retry-after"]) > 0
            assert seconds < 10
        with Socket(site.backend.ws_url) as socket:
            socket.send(op="hello", token=site.backend.token(user), after=1, device="d")
            socket.expect_close(1012)
        said = site.processes[0].log.read_bytes()[began:].decode()
        assert "Traceback" not in said
        kinds = [line for line in said.splitlines() if "/api/notifications" in line]
        assert 1 <= len(kinds) <= sum(seconds for _, seconds in answers) + 2, "a line a second at most"
    works(site, user)
    site.arrived(user, 2)
    assert site.api.get("/healthz").status == 200


def test_a_locked_table_is_a_503_within_ten_seconds_also_for_those_who_waited_in_a_group(site: Site) -> None:
    user = new_user("grouped")
    with locked(site), ThreadPoolExecutor(8) as threads:
        calls = []
        for _ in range(8):
            calls.append(threads.submit(timed, site, user))
            time.sleep(0.3)
        for call in calls:
            answer, seconds = call.result(60)
            assert answer.status == 503, answer
            assert seconds < 10.5, [one.result(60)[1] for one in calls]
    works(site, user)
