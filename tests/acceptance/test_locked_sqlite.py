"""The embedded database while another process holds its lock: callers get 503, and sockets stay usable."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.harness import http_client
from tests.harness.backends import embedded
from tests.harness.plain_socket import Socket
from tests.harness.site import Site, new_user, running_site
from tests.harness.waiting import until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a private site: the test locks its database."""
    folder = tmp_path_factory.mktemp("locked")
    with running_site(embedded(folder / "var"), folder) as running:
        yield running


@contextmanager
def locked(var: Path) -> Iterator[None]:
    """Hold the write lock, as a hung process or somebody's open sqlite3 shell does."""
    with closing(sqlite3.connect(var / "notifier.db", isolation_level=None, timeout=10)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        yield
        shell.execute("ROLLBACK")


@pytest.mark.alone
def test_a_locked_database_is_a_503_that_stalls_nobody_else(site: Site) -> None:
    user = new_user("locked")
    with (
        Socket(site.backend.ws_url) as socket,
        ThreadPoolExecutor() as threads,
    ):
        socket.enter(site.backend.token(user), 0)
        with locked(site.backend.var_dir):
            begun = time.monotonic()
            refused = threads.submit(site.api.send, user)
            longest = 0.0
            while not refused.done():
                asked = time.monotonic()
                assert http_client.status(f"{site.backend.base_url}/healthz") == 200
                socket.send(op="ping")
                socket.expect("pong")
                longest = max(longest, time.monotonic() - asked)
                time.sleep(0.02)
            answer, took = refused.result(), time.monotonic() - begun
        assert answer.status == 503, answer
        assert float(answer.headers["retry-after"]) > 0
        assert took < 15
        assert longest < 1, "a caller that waits for the lock holds up nobody else"
        accepted = until(lambda: (sent := site.api.send(user)).status == 202 and sent, 10, "it is back")
        assert socket.expect("event", seconds=20)["id"] == accepted.json["id"]
