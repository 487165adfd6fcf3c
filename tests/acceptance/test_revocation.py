"""A revoked user's tokens are refused: on every gateway, on open sockets, over HTTP, at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import backends, processes
from tests.harness.backend_api import UserApi
from tests.harness.site import Site, new_user
from tests.harness.waiting import free_port


@pytest.fixture(scope="module", params=backends.KINDS)
def gateways(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Site]]:
    """Two `notifier web` on one backend that rarely read the revocations, so that the broker's message must work."""
    kind: str = request.param
    folder = tmp_path_factory.mktemp(f"revoked-{kind}")
    rabbit = request.getfixturevalue("rabbit_server") if kind == "production" else None
    with backends.open_backend(kind, folder / "var", rabbit) as backend, contextlib.ExitStack() as stack:
        first, second = Site(backend, folder), Site(backend.on_port(free_port()), folder)
        for site in (first, second):
            site.backend.env["NOTIFIER_REVOCATION_INTERVAL"] = "600"
        for site in (first, second):
            stack.callback(site.close)
        assert first.start("migrate").wait(60) == 0
        for site in (first, second):
            site.start("web").wait_ready(site.backend.base_url).wait_logged("subscribed to revocations")
        yield first, second


def fresh_token(site: Site, user: str) -> str:
    done = processes.run("notifier", "token", user, env=site.backend.env)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_open_sockets_close_on_every_gateway_and_the_old_token_opens_nothing(
    gateways: tuple[Site, Site],
) -> None:
    first, second = gateways
    user, other = new_user("revoked"), new_user("other")
    old = fresh_token(first, user)
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(site.open()) for site in (first, second, second)]
        strangers = [stack.enter_context(site.socket(other)) for site in gateways]
        for socket in sockets:
            socket.enter(old)
        done = processes.run("notifier", "revoke", user, env=first.backend.env)
        assert (done.returncode, done.stderr) == (0, "")
        begun = time.monotonic()
        for socket in sockets:
            assert "revoked" in socket.expect_close(4401, seconds=2)
        assert time.monotonic() - begun < 1
        for stranger in strangers:
            stranger.nothing_before_pong()
        for site in gateways:
            with site.open() as socket:
                socket.send(op="hello", token=old, after=None)
                socket.expect_close(4401)
            with UserApi(site.backend.base_url, old) as api:
                assert api.inbox().status == 401
            with site.open() as socket:
                socket.enter(fresh_token(site, user))


def test_over_http_too(gateways: tuple[Site, Site]) -> None:
    first, second = gateways
    user = new_user("revoked")
    with first.socket(user) as here, second.socket(user) as there:
        answer = first.api.post("/api/revocations", {"user_id": user})
        assert answer.status == 200, answer
        assert answer.json["user_id"] == user
        for socket in (here, there):
            socket.expect_close(4401, seconds=2)


def test_a_revocation_without_a_message_of_the_broker_is_found(
    gateways: tuple[Site, Site], tmp_path: Path
) -> None:
    first, _ = gateways
    user = new_user("revoked")
    third = Site(first.backend.on_port(free_port()), tmp_path)
    third.backend.env["NOTIFIER_REVOCATION_INTERVAL"] = "1"
    deaf = {**third.backend.env, "NOTIFIER_BROKER_URL": "amqp://127.0.0.1:1//"}
    with contextlib.closing(third):
        third.start("web").wait_ready(third.backend.base_url)
        with third.socket(user) as socket:
            done = processes.run("notifier", "revoke", user, env=deaf)
            assert done.returncode == 0
            assert "within 1 s" in done.stderr
            socket.expect_close(4401, seconds=3)


def test_an_invalid_user_id_revokes_nobody(gateways: tuple[Site, Site]) -> None:
    first, _ = gateways
    before = first.rows("revocations")
    assert processes.run("notifier", "revoke", "a\nb", env=first.backend.env).returncode == 2
    assert first.api.post("/api/revocations", {"user_id": "a\nb"}).status == 422
    assert first.rows("revocations") == before
