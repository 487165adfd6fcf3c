"""Sites for the acceptance tests: started once for each session and backend, and shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.outage import Outage
from tests.chaos.stack import Stack
from tests.harness import backends
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.site import Site, new_user, running_site
from tests.harness.waiting import until

#: What these files ask differs little between the backends: on the other one they run with `make long`.
LONG_ON_PRODUCTION = {
    "test_openapi_cases", "test_commands", "test_reports_of_a_site", "test_docs_examples", "test_protocol_closes",
    "test_http_refusals", "test_flood", "test_socket_fuzz",
}  # fmt: skip
LONG_ON_EMBEDDED = {
    "test_erasure", "test_explain", "test_logs", "test_restarts", "test_revocation", "test_sweeps", "test_two_gateways",
}  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.acceptance)
        name = item.path.stem
        if (name in LONG_ON_PRODUCTION and "[production" in item.name) or (
            name in LONG_ON_EMBEDDED and "[embedded" in item.name
        ):
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def embedded_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`notifier up` on SQLite and the file broker."""
    folder = tmp_path_factory.mktemp("embedded")
    with (
        backends.open_backend("embedded", folder / "var") as backend,
        running_site(backend, folder) as started,
    ):
        yield started


@pytest.fixture(scope="session")
def production_site(rabbit_server: SharedRabbit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`notifier up` on PostgreSQL and RabbitMQ."""
    folder = tmp_path_factory.mktemp("production")
    with (
        backends.open_backend("production", folder / "var", rabbit_server) as backend,
        running_site(backend, folder) as started,
    ):
        yield started


# A fixture of the session with parameters exists once at a time: each file would start both sites again.
@pytest.fixture(scope="module", params=backends.KINDS)
def site(request: pytest.FixtureRequest) -> Site:
    """`notifier up` on each backend, shared by the whole session. Tests on it use users of their own."""
    started: Site = request.getfixturevalue(f"{request.param}_site")
    return started


@pytest.fixture
def user() -> str:
    """A user id of this test alone."""
    return new_user()


@pytest.fixture
def other() -> str:
    """Another user id of this test alone."""
    return new_user("other")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two web processes, two workers, PostgreSQL and RabbitMQ, on private servers."""
    started = Stack("production", tmp_path_factory.mktemp("outage") / "stack", bad_places=True)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def outage(stack: Stack) -> Iterator[Outage]:
    """A healthy system; what the test stops is started again at its end."""
    outage = Outage(stack)
    until(outage.well, 30, "all is well")
    yield outage
    outage.end()
