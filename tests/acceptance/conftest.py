"""Sites for the acceptance tests: started once per session and backend, shared by all that only use them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import backends
from tests.harness.site import Site, new_user, running_site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.acceptance)


@pytest.fixture(scope="session", params=backends.KINDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`notifier up` on each backend. Tests on it use users of their own."""
    kind: str = request.param
    folder = tmp_path_factory.mktemp(kind)
    rabbit = request.getfixturevalue("rabbit_server") if kind == "production" else None
    with (
        backends.open_backend(kind, folder / "var", rabbit) as backend,
        running_site(backend, folder) as started,
    ):
        yield started


@pytest.fixture
def user() -> str:
    """A user nobody else has."""
    return new_user()


@pytest.fixture
def other() -> str:
    """Another user nobody else has."""
    return new_user("other")
