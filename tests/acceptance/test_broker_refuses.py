"""RabbitMQ runs and refuses: what `/readyz`, `/metrics` and the logs say, and what callers notice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.outage import Outage
from tests.harness import rabbit_faults as faults
from tests.harness.backend_api import BackendApi
from tests.harness.processes import Process
from tests.harness.rabbitmq import PrivateRabbit
from tests.harness.scrape import scrape
from tests.harness.waiting import until

pytestmark = pytest.mark.timeout(180)

LINES_PER_SECOND = 20
UNBOUND = "notifier_broker_unbound_total"


@pytest.fixture
def rabbit(outage: Outage) -> PrivateRabbit:
    rabbit = outage.stack.services["rabbitmq"]
    assert isinstance(rabbit, PrivateRabbit)
    return rabbit


def broker_is(outage: Outage, state: str) -> None:
    """Wait until `/readyz` and `/metrics` of both web parts show this state."""
    for backend in outage.stack.backends:
        with BackendApi(backend.base_url, backend.api_key) as api:
            until(lambda: _says(api, state, scrape(backend.base_url)), 20, f"broker: {state}")  # noqa: B023


def _says(api: BackendApi, state: str, now: dict[str, float]) -> bool:
    answer = api.get("/readyz")
    if state == "ok":
        return answer.status == 200 and answer.json["broker"] == "ok" and now["notifier_broker_up"] == 1
    return (
        answer.status == 503
        and answer.json["broker"] == state
        and f"broker: {state}" in answer.json["detail"]
        and now["notifier_broker_up"] == 0
        and now[f"notifier_broker_state state={state}"] == 1
    )


@contextmanager
def quiet(outage: Outage) -> Iterator[dict[str, list[str]]]:
    """Assert that no process writes more than 20 lines a second; yield what each wrote."""
    processes: dict[str, Process] = outage.stack.processes
    before = {name: process.log.stat().st_size for name, process in processes.items()}
    begun = time.monotonic()
    lines: dict[str, list[str]] = {}
    yield lines
    seconds = time.monotonic() - begun
    for name, process in processes.items():
        with process.log.open("rb") as log:
            log.seek(before[name])
            lines[name] = log.read().decode(errors="replace").splitlines()
        assert len(lines[name]) <= LINES_PER_SECOND * seconds, (name, lines[name][:40])


def said_once(lines: dict[str, list[str]], state: str) -> None:
    for web in ("web 1", "web 2"):
        assert sum(f"state={state}" in line for line in lines[web]) == 1, lines[web]


@pytest.mark.parametrize("alarm", [faults.memory_alarm, faults.disk_alarm])
def test_a_blocked_broker(outage: Outage, rabbit: PrivateRabbit, alarm: Callable[..., None]) -> None:
    socket = outage.socket()
    with quiet(outage) as lines:
        alarm(rabbit, on=True)
        try:
            broker_is(outage, "blocked")
            sent = [outage.timed() for _ in range(40)]
            assert {answer.status for answer, _ in sent} == {202}
            assert max(seconds for _, seconds in sent) < 2
        finally:
            alarm(rabbit, on=False)
        broker_is(outage, "ok")
        outage.all_arrive(socket, [answer.json["id"] for answer, _ in sent])
    said_once(lines, "blocked")


@pytest.mark.parametrize("which", faults.PERMISSIONS)
def test_a_missing_permission(outage: Outage, rabbit: PrivateRabbit, which: str) -> None:
    socket = outage.socket()
    with quiet(outage) as lines:
        faults.permissions(rabbit, without=which)
        try:
            broker_is(outage, "no permission")
            assert f"no {which} permission on " in outage.api.get("/readyz").json["detail"]
            sent = [outage.timed() for _ in range(10)]
            assert {answer.status for answer, _ in sent} == {202}
            time.sleep(10)  # long enough for lines to add up
        finally:
            faults.permissions(rabbit)
        broker_is(outage, "ok")
        outage.all_arrive(socket, [answer.json["id"] for answer, _ in sent])
    said_once(lines, "no permission")
    for name, written in lines.items():
        assert len(written) < 60, (name, written)


def test_a_deleted_exchange(outage: Outage, rabbit: PrivateRabbit) -> None:
    socket = outage.socket()
    before = [scrape(backend.base_url)[UNBOUND] for backend in outage.stack.backends]
    with quiet(outage) as lines:
        faults.delete_exchange(rabbit)
        sent = [outage.timed()[0].json["id"] for _ in range(20)]
        outage.all_arrive(socket, sent)
        for backend, count in zip(outage.stack.backends, before, strict=True):
            until(lambda: scrape(backend.base_url)[UNBOUND] > count, 10, "it is counted")  # noqa: B023
        broker_is(outage, "ok")
    said_once(lines, "unbound")


def test_deleted_queues(outage: Outage, rabbit: PrivateRabbit) -> None:
    """The gateways' queues and the tasks' queue: the worker declares its own again."""
    socket = outage.socket()
    with quiet(outage):
        faults.delete_queues(rabbit)
        begun = time.monotonic()
        sent = [outage.timed()[0].json["id"] for _ in range(20)]
        outage.all_arrive(socket, sent)
        assert time.monotonic() - begun < 10
        broker_is(outage, "ok")
