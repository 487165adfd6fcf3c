"""`/metrics`: all web processes together, and the worker's whole pool, as Prometheus would read them."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness import backends
from tests.harness.backends import Backend
from tests.harness.http_client import status
from tests.harness.plain_socket import Socket
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.scrape import scrape
from tests.harness.site import Site, new_user
from tests.harness.waiting import free_port, until

USERS = 8
PROCESSES = 2


class Watched:
    """A site of several web processes and a pool of two, with its scraped metrics."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self.worker_port = free_port()
        env = {
            **backend.env,
            "NOTIFIER_WEB_PROCESSES": str(PROCESSES),
            "NOTIFIER_WORKER_METRICS_PORT": str(self.worker_port),
        }
        self.site = Site(dataclasses.replace(backend, env=env), folder)

    @property
    def worker_url(self) -> str:
        return f"http://127.0.0.1:{self.worker_port}"

    def start(self) -> None:
        assert self.site.start("migrate").wait(60) == 0
        self.worker = self.site.start("worker", "--concurrency", "2")
        self.web = self.site.start("web").wait_ready(self.site.backend.base_url)
        self.web.wait_until(lambda: len(self.web.children()) == PROCESSES, "all its processes")
        self.worker.wait_until(lambda: status(f"{self.worker_url}/metrics") == 200, "its metrics")

    def web_now(self) -> dict[str, float]:
        return scrape(self.site.backend.base_url)

    def worker_now(self) -> dict[str, float]:
        return scrape(self.worker_url)


@pytest.fixture(scope="module")
def watched(rabbit_server: SharedRabbit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    with backends.open_backend("production", folder / "var", rabbit_server) as backend:
        started = Watched(backend, folder)
        try:
            started.start()
            yield started
        finally:
            started.site.close()


def connect_everybody(stack: contextlib.ExitStack, watched: Watched) -> list[tuple[str, Socket]]:
    """Open sockets of several users on every web process."""

    def spread() -> bool:
        held = [len(child.net_connections("tcp")) for child in watched.web.children()]
        return min(held) > 4

    users = [(user, stack.enter_context(watched.site.socket(user, device="d")))
             for user in (new_user("watched") for _ in range(USERS))]  # fmt: skip
    while not spread() and len(users) < 20 * USERS:
        user = new_user("watched")
        users.append((user, stack.enter_context(watched.site.socket(user, device="d"))))
    return users


def test_a_scrape_shows_all_processes_of_a_part(watched: Watched) -> None:
    before, worked = watched.web_now(), watched.worker_now()
    with contextlib.ExitStack() as stack:
        users = connect_everybody(stack, watched)
        for user, _ in users:
            watched.site.send(user)
        for _, socket in users:
            socket.send(op="ack", seq=socket.expect("event")["seq"])

        def grown(name: str) -> float:
            return watched.web_now()[name] - before[name]

        def done(name: str) -> float:
            return watched.worker_now()[name] - worked.get(name, 0)

        count = len(users)
        until(lambda: grown("notifier_delivered_total") == count, 10, "all are delivered")
        dispatched = "notifier_latency_seconds_count stage=accept_to_dispatch"
        until(lambda: done(dispatched) == count, 10, "all are seen")
        for _ in range(6):  # from any of the processes
            assert grown("notifier_accepted_total") == count
            assert watched.web_now()["notifier_sockets"] == count
            assert grown("notifier_frames_sent_total") >= 3 * count
            assert grown("notifier_latency_seconds_count stage=dispatch_to_delivered") == count
            assert 0 < grown("notifier_latency_seconds_sum stage=dispatch_to_delivered") < 10 * count
        until(lambda: watched.web_now()["notifier_broker_up"] == 1, 10, "connected")
        now = watched.web_now()
        assert now["notifier_database_up"] == 1
        assert now["notifier_waiting"] == now["notifier_waiting_age_seconds"] == now["notifier_dead"] == 0
        assert done("notifier_dispatched_total") == done("notifier_entries_total") == count
        assert 0 < done("notifier_latency_seconds_sum stage=accept_to_dispatch") < 10 * count
        assert 1 <= done("notifier_latency_seconds_count stage=dispatch_to_publish") <= count
        assert done("notifier_unpublished_total") == 0

        victim = max(watched.web.children(), key=lambda child: len(child.net_connections("tcp")))
        victim.send_signal(signal.SIGKILL)
        psutil.wait_procs([victim], timeout=5)
        until(
            lambda: 0 < watched.web_now()["notifier_sockets"] < count, 10, "its sockets are counted no more"
        )
        assert grown("notifier_accepted_total") == count, "what it counted stays"


def test_no_series_says_when_a_counter_was_made(watched: Watched) -> None:
    assert not [name for name in [*watched.web_now(), *watched.worker_now()] if "_created" in name]


def test_a_reload_continues_the_counters(watched: Watched) -> None:
    until(lambda: len(watched.web.children()) == PROCESSES, 10, "all its processes")
    with watched.site.socket(new_user()) as socket:
        until(lambda: watched.web_now()["notifier_sockets"] == 1, 10, "one socket")
        accepted = watched.web_now()["notifier_accepted_total"]
        old = {child.pid for child in watched.web.children()}
        watched.web.send_signal(signal.SIGHUP)
        socket.expect_close(1012, seconds=30)
        until(lambda: not old & {child.pid for child in watched.web.children()}, 30, "all are new")
    watched.web.wait_ready(watched.site.backend.base_url)
    until(lambda: watched.web_now()["notifier_sockets"] == 0, 10, "none")
    assert watched.web_now()["notifier_accepted_total"] == accepted
    watched.site.send(new_user())
    assert watched.web_now()["notifier_accepted_total"] == accepted + 1
    handled = [line for line in watched.web.log.read_text().splitlines() if "Handling signal: hup" in line]
    assert len(handled) == 1


def test_a_restart_begins_at_zero_and_leaves_no_files_behind(watched: Watched) -> None:
    folder = watched.site.backend.var_dir / "metrics"
    watched.site.send(new_user())
    until(lambda: watched.worker_now()["notifier_dispatched_total"] > 0, 10, "it is dispatched")
    watched.web.terminate()
    watched.worker.terminate()
    left = {file.name for file in folder.rglob("*.db")}
    assert left
    watched.start()
    assert watched.web_now()["notifier_accepted_total"] == 0
    assert watched.worker_now()["notifier_dispatched_total"] == 0
    until(lambda: watched.web_now()["notifier_broker_up"] == 1, 10, "connected")
    alive = {str(pid) for process in (watched.web, watched.worker)
             for pid in (process.pid, *(child.pid for child in process.children()))}  # fmt: skip
    assert {file.stem.rpartition("_")[2] for file in folder.rglob("*.db")} <= alive


def test_a_worker_shows_nothing_unless_it_has_a_port(backend: Backend, tmp_path: Path) -> None:
    site = Site(backend, tmp_path)
    assert site.start("migrate").wait(60) == 0
    worker = site.start("worker")
    site.start("web").wait_ready(backend.base_url)
    user = new_user()
    site.send(user)
    site.arrived(user, 1)
    listening = [at for at in psutil.Process(worker.pid).net_connections("tcp") if at.status == "LISTEN"]
    site.close()
    assert listening == []
    assert not (backend.var_dir / "metrics").exists()


def test_a_port_that_is_taken_costs_only_the_metrics(tmp_path: Path) -> None:
    backend = backends.embedded(tmp_path / "var")
    taken = {**backend.env, "NOTIFIER_WORKER_METRICS_PORT": str(backend.port)}
    site = Site(dataclasses.replace(backend, env=taken), tmp_path)
    assert site.start("migrate").wait(60) == 0
    site.start("web").wait_ready(backend.base_url)
    site.start("worker").wait_logged("no metrics, the port cannot be opened")
    user = new_user()
    site.send(user)
    site.arrived(user, 1)
    site.close()
