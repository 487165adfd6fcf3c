"""Promise 7b: one user's locked inbox does not delay the alerts, marks or hellos of others."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.harness import backends
from tests.harness.plain_socket import Socket
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.site import Site, new_user, running_site
from tests.harness.waiting import until

pytestmark = [pytest.mark.timeout(240), pytest.mark.alone]

SECONDS = float(os.environ.get("LOCKED_SECONDS", "6"))
OTHERS = 10
SOCKETS = 30
GHOSTS = 200
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
        with site.user(locked) as api:
            refused = api.read(through=1)
        connection.rollback()
    assert (refused.status, refused.json["title"]) == (503, "Database locked")
    assert "retry-after" in refused.headers
    for socket in theirs:  # each mark was answered, with the error that says so
        assert socket.expect("error")["code"] == "unavailable"
    print(f"locked {SECONDS:g} s: others' latest alert {latest:.3f} s, latest hello {latest_hello:.3f} s")
    assert latest < MOST
    assert latest_hello < MOST
    site.arrived(locked, 1 + waiting)
    for socket in (*theirs, *sockets.values()):
        socket.close()


def test_a_locked_inbox_under_a_broadcast_and_alerts_delays_nobody_else(site: Site) -> None:
    """Others' alerts and broadcasts come as ever, calls take as long, and the user's own order is kept."""
    locked, others = new_user("locked"), [new_user("other") for _ in range(OTHERS)]
    for user in (locked, *others):
        site.send(user)
    for user in (locked, *others):
        site.arrived(user, 1)
    sockets = {user: site.socket(user, after=1) for user in others}
    before, during = Times(), Times()
    engine = sa.create_engine(site.backend.database_url, poolclass=sa.NullPool)
    own: list[str] = []

    def alerts(times: Times, seconds: float, *, to_locked: bool) -> None:
        ends, number = time.monotonic() + seconds, 0
        while time.monotonic() < ends:
            number += 1
            if to_locked:
                own.append(site.send(locked))
            if number % 3 == 1:
                times.broadcast(
                    site, [locked, *others, *(f"ghost-{ghost}" for ghost in range(GHOSTS))], sockets
                )
            for user, socket in sockets.items():
                times.alert(site, user, socket)

    alerts(before, SECONDS / 2, to_locked=False)
    with engine.connect() as connection:
        query = "SELECT 1 FROM notifier_inboxes WHERE user_id = :user FOR UPDATE"
        connection.execute(sa.text(query), {"user": locked})
        alerts(during, SECONDS, to_locked=True)
        connection.rollback()
    print(f"without: {before}\nlocked {SECONDS:g} s: {during}")
    assert max(during.alerts) < MOST
    assert max(during.broadcasts) < MOST
    assert percentile(during.calls, 0.99) < max(2 * percentile(before.calls, 0.99), 0.25)
    with site.user(locked) as user:
        until(lambda: {item["id"] for item in user.items()} >= set(own), 30, "what waited comes")
        came = [item["id"] for item in user.items()][::-1]
    assert [id for id in came if id in set(own)] == own
    for socket in sockets.values():
        socket.close()


class Times:
    """Seconds: of each call, and from its beginning to the arrival of each alert and broadcast at the last socket."""

    def __init__(self) -> None:
        self.calls: list[float] = []
        self.alerts: list[float] = []
        self.broadcasts: list[float] = []

    def alert(self, site: Site, user: str, socket: Socket) -> None:
        begun = time.monotonic()
        id = site.send(user)
        self.calls.append(time.monotonic() - begun)
        arrival(socket, id)
        self.alerts.append(time.monotonic() - begun)

    def broadcast(self, site: Site, users: list[str], sockets: dict[str, Socket]) -> None:
        begun = time.monotonic()
        answer = site.api.send_many(users)
        assert answer.status == 202, answer
        for socket in sockets.values():
            arrival(socket, answer.json["id"])
        self.broadcasts.append(time.monotonic() - begun)

    def __str__(self) -> str:
        return (
            f"latest alert {max(self.alerts):.3f} s, latest broadcast {max(self.broadcasts):.3f} s,"
            f" calls p50 {percentile(self.calls, 0.5) * 1000:.0f} ms, p99 {percentile(self.calls, 0.99) * 1000:.0f} ms"
            f" ({len(self.calls)} calls)"
        )


def arrival(socket: Socket, id: str) -> None:
    """Wait for an event; others may come before it."""
    while socket.expect("event", seconds=40)["id"] != id:
        pass


def percentile(times: list[float], part: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]
