"""Invalid requests for an upgrade: a clear 4xx, and no error in the server."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.hostile.client import play
from tests.harness.hostile.frames import Answer
from tests.harness.hostile.session import Leave, Session, upgrade
from tests.harness.site import Site


def ask(site: Site, **changes: str | None) -> Answer:
    """Return the answer to a valid request with these changes."""
    request = Session(upgrade=upgrade(**changes), leave=Leave.CLOSE)
    return asyncio.run(play(site.backend.port, request, 10))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({}, 101, id="right"),
        pytest.param({"Sec_WebSocket_Version": "12"}, 426, id="another version"),
        pytest.param({"Sec_WebSocket_Version": None}, 400, id="no version"),
        pytest.param({"Sec_WebSocket_Key": None}, 400, id="no key"),
        pytest.param({"Connection": "close"}, 400, id="no Connection: Upgrade"),
        pytest.param({"Host": None}, 400, id="no host"),
        pytest.param({"Sec_WebSocket_Protocol": "\xff"}, 400, id="no ASCII"),
        pytest.param({"Origin": "http://["}, 403, id="an origin that is not an address"),
    ],
)
def test_a_wrong_upgrade_is_refused(site: Site, changes: dict[str, str | None], status: int) -> None:
    assert ask(site, **changes).status == status


def test_a_peer_that_is_gone_before_the_101_is_not_an_error(site: Site) -> None:
    """Nothing is logged: hostile peers could fill the disk."""
    log = site.processes[0].log
    before = len(log.read_text())
    for _ in range(50):
        asyncio.run(play(site.backend.port, Session(leave=Leave.CUT), 10))
    assert ask(site).status == 101
    assert "Traceback" not in log.read_text()[before:]
