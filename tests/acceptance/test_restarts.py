"""A stopping gateway closes its sockets with 1012, each with its own delay, flushes the acks, and ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.harness import backends
from tests.harness.plain_socket import Socket
from tests.harness.site import Site, new_user, running_site
from tests.harness.waiting import until

SOCKETS = 20
GRACE, SPREAD = 4.0, 3.0


@pytest.fixture(params=backends.KINDS)
def restarting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Yield a private site, which the test stops."""
    kind: str = request.param
    rabbit = request.getfixturevalue("rabbit_server") if kind == "production" else None
    with backends.open_backend(kind, tmp_path / "var", rabbit) as backend:
        backend.env.update(
            NOTIFIER_RESTART_GRACE=str(GRACE),
            NOTIFIER_RESTART_SPREAD=str(SPREAD),
            # Within this test only the flush at the stop can write an ack.
            NOTIFIER_ACK_INTERVAL="600",
        )
        with running_site(backend, tmp_path) as site:
            yield site


def gunicorn_masters(site: Site) -> list[psutil.Process]:
    """Return the gunicorn masters that `notifier up` has started."""
    children = psutil.Process(site.processes[0].pid).children()
    return [child for child in children if "gunicorn" in " ".join(child.cmdline())]


def closes(sockets: list[Socket]) -> list[float]:
    """Expect each socket to be closed with 1012; return the delays in the close reasons, in seconds."""
    with ThreadPoolExecutor(len(sockets)) as pool:
        return [float(reason) for reason in pool.map(lambda socket: socket.expect_close(1012, 15), sockets)]


def crowd(site: Site, stack: ExitStack) -> list[Socket]:
    return [stack.enter_context(site.socket(new_user("crowd"))) for _ in range(SOCKETS)]


def test_a_reload_closes_with_1012_and_its_own_delay_flushes_acks_and_continues(restarting: Site) -> None:
    site, user = restarting, new_user()
    with ExitStack() as stack:
        acking = stack.enter_context(site.socket(user, device="phone"))
        sockets = crowd(site, stack)
        identity = site.send(user)
        acking.send(op="ack", seq=acking.expect("event")["seq"])
        acking.nothing_before_pong()  # the ack has been taken
        assert site.api.notification(identity).json["delivered"] == 0
        began = time.monotonic()
        for master in gunicorn_masters(site):
            master.send_signal(signal.SIGHUP)
        delays = closes([acking, *sockets])
        assert time.monotonic() - began < GRACE + 5
    assert all(0 <= delay <= SPREAD for delay in delays)
    assert len(set(delays)) > SOCKETS / 4  # each has its own delay, in tenths of a second
    until(lambda: site.api.notification(identity).json["delivered"] == 1, 10, "the ack is written")
    with site.socket(user, after=1) as again:
        site.send(user)
        again.expect("event", seq=2)


def test_sigterm_to_up_closes_every_socket_and_leaves_no_process(restarting: Site) -> None:
    site = restarting
    up = site.processes[0]
    family = psutil.Process(up.pid).children(recursive=True)
    with ExitStack() as stack:
        sockets = crowd(site, stack)
        os.kill(up.pid, signal.SIGTERM)
        assert len(closes(sockets)) == SOCKETS
    assert up.wait(GRACE + 15) == 0
    assert [process for process in family if process.is_running() and process.status() != "zombie"] == []


def test_killing_up_itself_leaves_no_process_behind(restarting: Site) -> None:
    up = psutil.Process(restarting.processes[0].pid)
    family = up.children(recursive=True)
    up.kill()
    until(lambda: not any(p.is_running() for p in family), GRACE + 15, "its children stop too")


def test_a_part_that_dies_is_started_again(restarting: Site) -> None:
    site, user = restarting, new_user()
    with site.socket(user) as socket:
        workers = [
            child
            for child in psutil.Process(site.processes[0].pid).children()
            if child.cmdline()[2:4] == ["-m", "worker"] and "reach" not in " ".join(child.cmdline())
        ]
        assert len(workers) == 1
        workers[0].kill()
        site.send(user)
        socket.expect("event", 30, seq=1)
