"""The metrics of the alert rules while the broker, the database or the workers are down."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from tests.chaos.outage import Outage
from tests.harness.processes import REPO
from tests.harness.waiting import until

pytestmark = pytest.mark.timeout(180)


def test_a_dead_broker_shows(outage: Outage) -> None:
    before = outage.now()
    outage.stack.kill("rabbitmq")
    assert [outage.timed()[0].status for _ in range(3)] == [202] * 3
    until(lambda: outage.now()["notifier_broker_up"] == 0, 10, "broker down")

    def failures(part: str) -> float:
        name = f"notifier_broker_errors_total part={part}"
        return outage.now()[name] - before[name]

    until(lambda: failures("subscribe") >= 3, 20, "the gateway tries in vain")
    until(lambda: failures("wake") >= 3, 20, "so does the waker")
    assert outage.now()["notifier_database_up"] == 1
    until(lambda: outage.now()["notifier_waiting_age_seconds"] > 3, 20, "what is accepted waits")
    assert outage.now()["notifier_waiting"] == 3


def test_a_dead_database_shows_at_once(outage: Outage) -> None:
    before = outage.now()["notifier_database_errors_total"]
    outage.stack.kill("postgres")
    begun = time.monotonic()
    until(lambda: outage.now()["notifier_database_up"] == 0, 10, "database down")
    assert outage.timed()[0].status == 503
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
    assert outage.timed()[0].status == 202
    until(lambda: outage.now()["notifier_waiting_age_seconds"] > 3, 20, "it waits")
    assert outage.now()["notifier_broker_up"] == 1
