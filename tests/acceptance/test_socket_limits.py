"""Sockets over a limit get 429 before the upgrade, others work, and a closed one frees its place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus

from tests.harness import backends
from tests.harness.plain_socket import Socket
from tests.harness.scrape import scrape
from tests.harness.site import Site, new_user
from tests.harness.waiting import until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("limits")
    backend = backends.embedded(folder / "var")
    backend.env.update(
        {
            "NOTIFIER_SOCKETS_PER_ADDRESS": "3",
            "NOTIFIER_SOCKETS_UNAUTHENTICATED": "2",
            "NOTIFIER_PROXY_HOPS": "1",
        }
    )
    site = Site(backend, folder)
    with contextlib.closing(site):
        yield site.up()


def come(site: Site, address: str) -> Socket:
    """Open a socket that a trusted proxy forwards from `address`."""
    return Socket(site.backend.ws_url, headers={"X-Forwarded-For": f"evil, {address}"})


def refused(site: Site, address: str) -> int:
    with pytest.raises(InvalidStatus) as caught:
        come(site, address)
    response = caught.value.response
    assert int(response.headers["Retry-After"]) > 0
    status: int = response.status_code
    return status


def test_an_address_over_its_limit_gets_429_and_another_does_not(site: Site) -> None:
    user = new_user()
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            socket = stack.enter_context(come(site, "192.0.2.1"))
            socket.enter(site.backend.token(user))
        assert refused(site, "192.0.2.1") == 429
        other = stack.enter_context(come(site, "192.0.2.2"))
        other.enter(site.backend.token(user))
        site.send(user)
        other.expect("event")
    until(lambda: _opens(site, "192.0.2.1"), 5, "room again")


def test_sockets_without_a_hello_fill_no_more_than_their_share(site: Site) -> None:
    with contextlib.ExitStack() as stack:
        known = stack.enter_context(come(site, "192.0.2.5"))
        known.enter(site.backend.token(new_user()))
        for number in range(2):
            stack.enter_context(come(site, f"192.0.2.{10 + number}"))
        assert refused(site, "192.0.2.20") == 429
        known.nothing_before_pong()
    until(lambda: _opens(site, "192.0.2.20"), 8, "room again")


def _opens(site: Site, address: str) -> bool:
    try:
        come(site, address).close()
    except InvalidStatus:
        return False
    return True


def test_the_refusals_are_counted(site: Site) -> None:
    found = scrape(site.backend.base_url)
    for what in ("socket_address", "socket_unauthenticated"):
        assert found[f"notifier_refused_total what={what}"] > 0
