"""Erased while connected: sockets close, tokens are refused, nothing is left; then a new life begins."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import backends, processes
from tests.harness.backend_api import UserApi
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.site import Site, new_user, running_site
from tests.harness.waiting import until

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module", params=backends.KINDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    kind: str = request.param
    folder = tmp_path_factory.mktemp(f"erased-{kind}")
    rabbit = request.getfixturevalue("rabbit_server") if kind == "production" else None
    with backends.open_backend(kind, folder / "var", rabbit) as backend, contextlib.ExitStack() as stack:
        site = Site(backend, folder)
        site.backend.env["NOTIFIER_LINGER"] = "1"
        stack.callback(site.close)
        assert site.start("migrate").wait(60) == 0
        site.start("worker")
        site.start("web").wait_ready(site.backend.base_url).wait_logged("subscribed to revocations")
        yield site


def command(site: Site, *words: str) -> str:
    done = processes.run("notifier", *words, env=site.backend.env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def alert(title: str) -> dict[str, str]:
    return {"title": title, "message": "m", "type": "info"}


@pytest.mark.parametrize("way", ["http", "command"])
def test_an_erased_user_is_out_and_gone_and_can_come_back(site: Site, way: str) -> None:
    user, other = new_user("erased"), new_user("other")
    old = command(site, "token", user)
    for title in ("one", "two"):
        assert site.api.send_many([user, other], alert(title)).status == 202
    site.arrived(user, 2)
    with site.open() as socket, site.socket(other) as stranger:
        socket.enter(old)
        daily = command(site, "report", "daily", "--format", "json")
        assert user in command(site, "recipient", "export", user)
        if way == "http":
            answer = site.api.delete(f"/api/recipients?user_id={user}")
            assert answer.status == 200, answer
            assert answer.json["erased"]["entries"] == 2
        else:
            assert "entries=2" in command(site, "recipient", "erase", user)
        socket.expect_close(4401, seconds=3)
        stranger.nothing_before_pong()
    assert json.loads(command(site, "report", "daily", "--format", "json")) == json.loads(daily)
    assert site.api.get(f"/api/recipients/export?user_id={user}").status == 404
    with UserApi(site.backend.base_url, old) as api:
        assert api.inbox().status == 401
    assert "erased=" in command(site, "verify")
    new = command(site, "token", user)
    with site.open() as socket:
        socket.enter(new)
        assert site.api.post("/api/notifications", {"user_id": user, "data": alert("three")}).status == 202
        until(lambda: "three" in json.dumps(socket.next()), 5, "what comes later reaches the new life")
    with site.open() as socket:
        frames = socket.enter(new, after=2)
        assert "reset" in [frame["op"] for frame in frames]
        assert "two" not in json.dumps(frames)


def test_no_file_has_the_id(site: Site) -> None:
    user = new_user("vanishing")
    assert site.api.post("/api/notifications", {"user_id": user, "data": alert("one")}).status == 202
    site.arrived(user, 1)
    with site.socket(user):
        pass
    command(site, "recipient", "set", user, "--name", "x")
    command(site, "recipient", "erase", user)

    def holding() -> list[str]:
        var = site.backend.env["NOTIFIER_VAR_DIR"]
        files = [path for path in Path(var).rglob("*") if path.is_file() and path.suffix != ".log"]
        return [str(path) for path in files if user.encode() in path.read_bytes()]

    until(lambda: holding() == [], 10, "no file has the id")


@pytest.mark.timeout(240)  # rabbitmqctl takes seconds on a busy machine
@pytest.mark.parametrize("queues", ["user", "gateway"])
def test_no_name_at_the_broker_is_made_of_the_id(
    queues: str, rabbit_server: SharedRabbit, tmp_path: Path
) -> None:
    user, other = new_user("vanishing"), new_user("other")
    its, others = ({one, hashlib.sha256(one.encode()).hexdigest()} for one in (user, other))

    with backends.open_backend("production", tmp_path, rabbit_server) as backend:
        backend.env.update(NOTIFIER_EVENT_QUEUES=queues, NOTIFIER_LINGER="1")
        url = backend.env["NOTIFIER_BROKER_URL"]

        def named(wanted: set[str]) -> list[str]:
            return [name for name in rabbit_server.names(url) if any(one in name for one in wanted)]

        with running_site(backend, tmp_path) as site, site.open() as socket, site.socket(other):
            token = command(site, "token", user)
            socket.enter(token)
            site.send(user)
            socket.expect("event")
            until(lambda: named(its) and named(others), 20, "both are known to the broker")
            assert "entries=1" in command(site, "recipient", "erase", user)
            socket.expect_close(4401, seconds=3)
            until(lambda: named(its) == [], 20, "no name is left")
            assert named(others), "somebody else's is"
            with site.open() as again:
                again.send({"op": "hello", "token": token, "after": 1})
                again.expect_close(4401, seconds=3)
            assert named(its) == [], "who is refused is not bound"
