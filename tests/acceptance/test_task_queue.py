"""The task queue as a quorum queue: all parts declare the same type, and a different setting is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import amqp
import pytest
from celery import Celery
from kombu.utils.url import parse_url

from tests.harness import backends, processes
from tests.harness.postgres import PrivatePostgres
from tests.harness.site import Site, running_site
from tests.harness.waiting import until

pytestmark = pytest.mark.acceptance

TASKS = 5  # one more than a worker prefetches


@pytest.fixture
def site(postgres_url: str, rabbit_url: str, tmp_path: Path) -> Iterator[Site]:
    with quorum_site(postgres_url, rabbit_url, tmp_path) as site:
        yield site


@contextmanager
def quorum_site(database_url: str, broker_url: str, folder: Path) -> Iterator[Site]:
    backend = backends.production(database_url, broker_url, folder / "var")
    env = {**backend.env, "NOTIFIER_TASK_QUEUE_TYPE": "quorum", "NOTIFIER_SWEEP_INTERVAL": "600"}
    with running_site(dataclasses.replace(backend, env=env), folder) as site:
        yield site


def by_name(site: Site, user: str) -> None:
    """Enqueue an alert as another Celery application does."""
    elsewhere = Celery(broker=site.backend.broker_url, set_as_current=False)
    elsewhere.conf.task_create_missing_queue_type = "quorum"
    arguments = {"user_id": user, "data": {"title": "By name", "message": "m", "type": "info"}}
    elsewhere.send_task("notifier.send_notification", kwargs=arguments, queue="notifier")


def test_tasks_go_through_a_quorum_queue(site: Site) -> None:
    site.send("ada")
    site.arrived("ada", 1)  # not found by a sweep, but by the web process's wake-up
    by_name(site, "ada")
    site.arrived("ada", 2)
    with pytest.raises(amqp.exceptions.PreconditionFailed, match=r"x-queue-type.* 'quorum'"):
        declare(site.backend.broker_url, "notifier")
    # Celery's own delayed delivery, which would wait for every node that is down, is not used.
    with pytest.raises(amqp.exceptions.NotFound):
        declare(site.backend.broker_url, "celery_delayed_0", passive=True)


def test_tasks_that_wait_for_the_database_delay_others_only_shortly(rabbit_url: str, tmp_path: Path) -> None:
    """There are more tasks by name than a worker prefetches, and a quorum queue's prefetch does not grow."""
    with (
        PrivatePostgres() as postgres,
        quorum_site(postgres.create_database("live"), rabbit_url, tmp_path) as site,
    ):
        postgres.kill()
        for _ in range(TASKS):
            by_name(site, "ada")
        log = site.logs / f"up-{site.backend.port}.log"
        until(lambda: log.read_text().count("task put off 2 s") > TASKS, 60, "some are put off once more")
        postgres.start()
        site.arrived("ada", TASKS)
    assert "put off 4 s" not in log.read_text()
    assert "Direct exchanges" not in log.read_text(), "Celery's advice is not for us"


def test_a_worker_that_says_another_type_stops_with_one_line(site: Site, tmp_path: Path) -> None:
    env = {**site.backend.env, "NOTIFIER_TASK_QUEUE_TYPE": "classic"}
    worker = processes.notifier("worker", env=env, log=tmp_path / "other.log").start()
    assert worker.wait() == 1
    said = [line for line in worker.tail().splitlines() if "CRITICAL" in line]
    assert len(said) == 1
    assert "NOTIFIER_TASK_QUEUE_TYPE: " in said[0]
    assert "Traceback" not in worker.tail()


def declare(url: str, queue: str, *, passive: bool = False) -> None:
    """Declare a durable classic queue; `passive` only asks for it."""
    where = parse_url(url)
    host = f"{where['hostname']}:{where['port']}"
    with amqp.Connection(
        host, userid=where["userid"], password=where["password"], virtual_host=where["virtual_host"]
    ) as connection:
        connection.channel().queue_declare(queue, passive=passive, durable=True, auto_delete=False)
