"""What the alert rules ask for, while the broker, the database or the workers are really away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.chaos.stack import Stack
from tests.harness.backend_api import BackendApi
from tests.harness.processes import REPO
from tests.harness.scrape import scrape
from tests.harness.site import new_user
from tests.harness.waiting import until

pytestmark = pytest.mark.timeout(180)


class Outage:
    """The whole system on servers of its own, and one web part's numbers."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.backend = stack.backends[0]
        self.api = BackendApi(self.backend.base_url, self.backend.api_key)

    def send(self) -> int:
        return self.api.send(new_user("outage")).status

    def now(self) -> dict[str, float]:
        return scrape(self.backend.base_url)

    def well(self) -> bool:
        """Nothing that a rule asks for is out of order."""
        now = self.now()
        up = now["notifier_broker_up"] == now["notifier_database_up"] == 1
        return up and now["notifier_waiting"] == now["notifier_dead"] == 0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two web processes, two workers, beat, PostgreSQL and RabbitMQ, all of the tests' own."""
    started = Stack("production", tmp_path_factory.mktemp("outage") / "stack")
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def outage(stack: Stack) -> Iterator[Outage]:
    """A healthy system, as the metrics see it; afterwards it must become healthy again by itself."""
    outage = Outage(stack)
    until(outage.well, 30, "all is well")
    yield outage
    for part in stack.dead():
        stack.start_again(part)
    for service in stack.services.values():
        service.thaw() if service.alive else service.start()
    until(outage.well, 60, "all is well again")
    outage.api.close()


def test_a_dead_broker_shows(outage: Outage) -> None:
    before = outage.now()
    outage.stack.kill("rabbitmq")
    assert [outage.send() for _ in range(3)] == [202] * 3
    until(lambda: outage.now()["notifier_broker_up"] == 0, 10, "broker down")

    def failures(part: str) -> float:
        name = f"notifier_broker_errors_total part={part}"
        return outage.now()[name] - before[name]

    until(lambda: failures("subscribe") >= 3, 20, "the gateway tries in vain")
    until(lambda: failures("ring") >= 3, 20, "so does the ringer")
    assert outage.now()["notifier_database_up"] == 1
    until(lambda: outage.now()["notifier_waiting_age_seconds"] > 3, 20, "what is accepted waits")
    assert outage.now()["notifier_waiting"] == 3


def test_a_dead_database_shows_at_once(outage: Outage) -> None:
    before = outage.now()["notifier_database_errors_total"]
    outage.stack.kill("postgres")
    begun = time.monotonic()
    until(lambda: outage.now()["notifier_database_up"] == 0, 10, "database down")
    assert outage.send() == 503
    now = outage.now()
    assert time.monotonic() - begun < 10
    assert now["notifier_database_errors_total"] > before
    assert now["notifier_broker_up"] == 1
    assert "notifier_waiting" not in now


def test_a_database_that_hangs_shows_within_the_time_of_a_scrape(outage: Outage) -> None:
    config = yaml.safe_load(Path(REPO / "monitoring" / "prometheus.yml").read_text())
    patience = float(config["global"]["scrape_timeout"].removesuffix("s"))
    outage.stack.freeze("postgres")
    begun = time.monotonic()
    now = outage.now()
    took = time.monotonic() - begun
    outage.stack.thaw("postgres")
    assert now["notifier_database_up"] == 0
    assert took < patience


def test_workers_that_are_gone_show_as_age(outage: Outage) -> None:
    workers = [part for part in outage.stack.processes if part.startswith("worker")]
    for worker in workers:
        outage.stack.kill(worker)
    assert outage.send() == 202
    until(lambda: outage.now()["notifier_waiting_age_seconds"] > 3, 20, "it waits")
    assert outage.now()["notifier_broker_up"] == 1
