"""WebSocket conformance after the Autobahn case list: framing, UTF-8, fragments, closes and the handshake.

The cases are data (`tests/harness/conformance`). All selected cases are played together on one server, each
on its own connection; then each is judged under its own id, so that one can be run alone:

    pytest 'tests/acceptance/test_conformance.py::test_a_case[utf8-6.20.1-alone]'
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.harness import backends, processes
from tests.harness.conformance import CASES, DEVIATIONS
from tests.harness.conformance.case import Case, Upgrade
from tests.harness.conformance.player import Results
from tests.harness.processes import REPO
from tests.harness.site import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield an embedded site whose log is checked."""
    folder = tmp_path_factory.mktemp("conformance")
    with backends.open_backend("embedded", folder / "var") as backend:
        backend.env["NOTIFIER_HELLO_TIMEOUT"] = "60"  # no case reaches it, even on a busy machine
        done = processes.run("notifier", "migrate", env=backend.env)
        assert done.returncode == 0, done.stderr
        with closing(Site(backend, folder)) as site:
            site.start("web").wait_ready(backend.base_url)
            yield site


@pytest.fixture(scope="module")
def results(site: Site, request: pytest.FixtureRequest) -> Results:
    """Return the results of the selected cases."""
    selected = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path and hasattr(item, "callspec")
    ]
    results = Results()
    asyncio.run(results.play(site.backend.port, selected, site.backend.token("conformance")))
    return results


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_case(results: Results, case: Case | Upgrade) -> None:
    expected = [] if isinstance(case, Upgrade) else list(case.hears)
    assert results.heard[case.id] == expected, DEVIATIONS.get(case.deviates, "")


def test_the_server_logged_no_error(site: Site, results: Results) -> None:
    log = site.processes[0].log.read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log


def test_there_are_500_cases_each_with_a_name_of_its_own() -> None:
    names = Counter(case.id for case in CASES)
    assert len(CASES) >= 500
    assert not [name for name, count in names.items() if count > 1]


def test_each_deviation_is_used_and_documented() -> None:
    page = (REPO / "docs" / "websocket.md").read_text()
    rows = set(re.findall(r"^\| (.+?) \|", page.partition("## Conformance")[2], re.MULTILINE))
    assert {case.deviates for case in CASES} - {""} == DEVIATIONS.keys()
    assert rows - {"what is sent", "---"} == DEVIATIONS.keys()
