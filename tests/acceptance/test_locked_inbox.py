"""Promise 7b: one user's locked inbox does not delay the alerts, marks or hellos of others."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.harness import backends
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.site import Site, new_user, running_site

pytestmark = [pytest.mark.timeout(240), pytest.mark.alone]

SECONDS = float(os.environ.get("LOCKED_SECONDS", "6"))
OTHERS = 10
SOCKETS = 30
MOST = 1.0  # seconds by which others may be delayed


@pytest.fixture
def site(rabbit_server: SharedRabbit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("locked-inbox")
    with (
        backends.open_backend("production", folder / "var", rabbit_server) as backend,
        running_site(backend, folder) as started,
    ):
        yield started


def test_a_locked_inbox_under_alerts_and_marks_delays_nobody_else(site: Site) -> None:
    locked, others = new_user("locked"), [new_user("other") for _ in range(OTHERS)]
    for user in (locked, *others):
        site.send(user)
    for user in (locked, *others):
        site.arrived(user, 1)
    theirs = [site.socket(locked) for _ in range(SOCKETS)]
    sockets = {user: site.socket(user, after=1) for user in others}
    latest = latest_hello = 0.0
    over = threading.Event()
    engine = sa.create_engine(site.backend.database_url, poolclass=sa.NullPool)

    def mark(socket: object) -> None:
        while not over.wait(0.3):
            socket.send(op="read", through=1)  # type: ignore[attr-defined]

    with engine.connect() as connection:
        query = "SELECT 1 FROM notifier_inboxes WHERE user_id = :user FOR UPDATE"
        connection.execute(sa.text(query), {"user": locked})
        threads = [threading.Thread(target=mark, args=(socket,)) for socket in theirs]
        for thread in threads:
            thread.start()
        ends, waiting = time.monotonic() + SECONDS, 0
        while time.monotonic() < ends:
            waiting += 1
            site.send(locked)
            for user, socket in sockets.items():
                begun = time.monotonic()
                id = site.send(user)
                socket.expect("event", id=id)
                latest = max(latest, time.monotonic() - begun)
            begun = time.monotonic()
            site.socket(others[0]).close()
            latest_hello = max(latest_hello, time.monotonic() - begun)
        over.set()
        for thread in threads:
            thread.join()
        connection.rollback()
    print(f"locked {SECONDS:g} s: others' latest alert {latest:.3f} s, latest hello {latest_hello:.3f} s")
    assert latest < MOST
    assert latest_hello < MOST
    site.arrived(locked, 1 + waiting)
    for socket in (*theirs, *sockets.values()):
        socket.close()
