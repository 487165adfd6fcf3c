"""Fixtures every test may ask for: fresh databases, vhosts and backends; nothing outlives the session."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import backends, postgres, process_tree, processes
from tests.harness.backends import Backend
from tests.harness.rabbitmq import SharedRabbit

# A shell lets what it starts in the background ignore SIGINT, and our processes would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: The files that take longest, the longest first: several processes that run the tests begin with them, so that
#: none of them is left to one process at the end.
LONGEST = (
    "test_short_matrix", "test_broker_faults", "test_short_cluster", "test_short_channels",
    "test_make_run", "test_bookshop", "test_wheels", "test_rolling_upgrade", "test_browser_faults",
    "test_behind_proxy", "test_broker_refuses", "test_metrics_outages", "test_failover",
    "test_browser_tabs", "test_prefix", "test_commands", "test_sweeps", "test_restarts",
    "test_command_start", "test_explain", "test_browser_dashboard", "test_browser_inbox",
    "test_browser_night", "test_browser_facilities", "test_reports", "test_replica",
    "test_production_shape", "test_browser_access", "test_life_machine", "test_state_machine",
    "test_broker_outage", "test_docs_examples", "test_protocol", "test_http_api", "test_hostile_messages",
    "test_hostile_ids", "test_protocol_closes", "test_protocol_acks", "test_conformance",
)  # fmt: skip


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take longest when several processes run the tests (`-n`)."""
    if hasattr(config, "workerinput"):
        place = {name: number for number, name in enumerate(LONGEST)}
        items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of the machine's PostgreSQL."""
    return postgres.shared_url()


@pytest.fixture(scope="session")
def rabbit_server() -> Iterator[SharedRabbit]:
    """The machine's RabbitMQ; its vhosts go at the end."""
    rabbit = SharedRabbit()
    yield rabbit
    rabbit.close()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database of the test's own."""
    with postgres.fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database with every migration applied, to be copied."""
    with postgres.fresh_database(postgres_server) as url:
        backend = backends.production(url, "amqp://unused", tmp_path_factory.mktemp("template"))
        done = processes.run("notifier", "migrate", env=backend.env)
        assert done.returncode == 0, done.stderr
        yield postgres.database_name(url)


@pytest.fixture
def migrated_postgres_url(postgres_server: str, migrated_template: str) -> Iterator[str]:
    """A PostgreSQL database of the test's own with every migration applied."""
    with postgres.fresh_database(postgres_server, template=migrated_template) as url:
        yield url


@pytest.fixture
def rabbit_url(rabbit_server: SharedRabbit) -> str:
    """A vhost of the test's own."""
    return rabbit_server.fresh_url()


@pytest.fixture(params=backends.KINDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """A fresh backend of each kind, with no process on it yet."""
    rabbit = request.getfixturevalue("rabbit_server") if request.param == "production" else None
    with backends.open_backend(request.param, tmp_path / "var", rabbit) as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def _nothing_survives() -> Iterator[None]:
    """At the end no process of this run is left; one that is shows as an error of the session."""
    yield
    processes.kill_all()
    left = process_tree.sweep()
    assert not left, f"processes left behind: {left}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test's report ends with the logs of the processes that run beside it."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        for process in processes.running:
            report.sections.append((f"log of {process.name} ({process.log})", process.tail()))
    return report  # type: ignore[return-value]
