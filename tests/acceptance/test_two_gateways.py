"""Two web processes and a worker: every socket of a user, on either gateway, gets every event."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.harness import backends
from tests.harness.site import Site, new_user
from tests.harness.waiting import free_port


@pytest.fixture(scope="module", params=backends.KINDS)
def gateways(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Site]]:
    """`notifier migrate`, then two `notifier web` and one `notifier worker` on one backend."""
    kind: str = request.param
    folder = tmp_path_factory.mktemp(f"two-{kind}")
    rabbit = request.getfixturevalue("rabbit_server") if kind == "production" else None
    with backends.open_backend(kind, folder / "var", rabbit) as backend, contextlib.ExitStack() as stack:
        first, second = Site(backend, folder), Site(backend.on_port(free_port()), folder)
        for site in (first, second):
            stack.callback(site.close)
        assert first.start("migrate").wait(60) == 0
        first.start("worker")
        for site in (first, second):
            site.start("web").wait_ready(site.backend.base_url)
        yield first, second


def test_every_socket_on_either_gateway_gets_every_event(gateways: tuple[Site, Site]) -> None:
    first, second = gateways
    user, other = new_user(), new_user("other")
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(site.socket(user)) for site in (first, second, first, second)]
        strangers = [stack.enter_context(site.socket(other)) for site in gateways]
        sent = [gateways[number % 2].send(user) for number in range(10)]
        for socket in sockets:
            events = [socket.expect("event") for _ in sent]
            assert [event["id"] for event in events] == sent
            assert [event["seq"] for event in events] == list(range(1, 11))
        for stranger in strangers:
            stranger.nothing_before_pong()


def test_a_read_on_one_gateway_is_seen_on_the_other(gateways: tuple[Site, Site]) -> None:
    first, second = gateways
    user = new_user()
    with first.socket(user) as here, second.socket(user) as there, second.user(user) as api:
        identity = first.send(user)
        for socket in (here, there):
            socket.expect("event", seq=1)
        here.send(op="read", ids=[identity])
        there.expect("event", seq=2, event="inbox.read", unread=0)
        api.unread([identity])
        for socket in (here, there):
            frames = socket.until("event") if socket is there else [socket.next(), socket.next()]
            assert frames[-1]["event"] == "inbox.unread"
            assert frames[-1]["unread"] == 1


def test_a_client_resumes_at_the_other_gateway(gateways: tuple[Site, Site]) -> None:
    first, second = gateways
    user = new_user()
    with first.socket(user, device="phone") as socket:
        first.send(user)
        socket.expect("event", seq=1)
    missed = second.send(user)
    second.arrived(user, 2)
    with second.open() as socket:
        frames = socket.enter(second.backend.token(user), 1, device="phone")
        assert [frame.get("id") for frame in frames[1:-1]] == [missed]


def test_an_idempotency_key_holds_across_gateways(gateways: tuple[Site, Site]) -> None:
    first, second = gateways
    user = new_user()
    one, two = first.api.send(user, key="k-" + user), second.api.send(user, key="k-" + user)
    assert one.json == two.json
    assert two.headers["idempotency-replayed"] == "true"
