"""`notifier explain` and the timeline say why a user got an alert or did not, with real sockets and kills."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.stack import Stack
from tests.harness import backends, processes
from tests.harness.site import Site, new_user
from tests.harness.waiting import until


def timeline(site: Site, id: str, user: str | None = None, **query: Any) -> dict[str, Any]:
    """Return the API's answer."""
    asked = {"user_id": user, **query}
    words = "&".join(f"{name}={value}" for name, value in asked.items() if value is not None)
    answer = site.api.get(f"/api/notifications/{id}/timeline?{words}")
    assert answer.status == 200, answer
    told: dict[str, Any] = answer.json
    return told


def steps(told: dict[str, Any]) -> dict[str, int | None]:
    return {step["step"]: step["at"] for step in told["steps"]}


def when(site: Site, id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the timeline when the condition is true."""
    until(lambda: holds(timeline(site, id)), 15, f"the timeline of {id}")
    return timeline(site, id)


def explain(site: Site, *arguments: str) -> str:
    done = processes.run("notifier", "explain", *arguments, env=site.backend.env)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_an_alert_to_an_open_socket_is_explained_step_by_step(site: Site) -> None:
    user = new_user("explain")
    with site.socket(user, 0, device="phone") as socket:
        id = site.send(user)
        socket.expect("event", id=id)
        socket.send(op="ack", seq=1)
        told = when(
            site, id, lambda t: bool(steps(t)["delivered"] and steps(t)["published"] and t["sockets"])
        )
        at = steps(told)
        assert at["accepted"] <= at["dispatched"] <= at["published"], at  # type: ignore[operator]
        assert at["woken"] is not None
        assert at["read"] is None
        [shown] = told["sockets"]
        assert (shown["device"], shown["acked"], shown["sent"], shown["closed_at"]) == (
            "phone",
            True,
            True,
            None,
        )
        assert "was open and acked after" in told["summary"]
        assert "device phone" in explain(site, id)
    with site.user(user) as api:
        api.read([id])
    told = when(site, id, lambda t: t["sockets"][0]["closed_at"] is not None)
    assert steps(told)["read"] is not None
    printed = json.loads(explain(site, id, user, "--json"))
    assert steps(printed) == steps(told)


def test_without_a_socket_the_inbox_has_it(site: Site) -> None:
    user = new_user("absent")
    id = site.send(user)
    site.arrived(user, 1)
    told = when(site, id, lambda t: bool(steps(t)["published"]))
    assert told["summary"].endswith(
        "No socket was open, and none has been since: it waits in the inbox, and the badge counts it."
    )
    assert "No socket was open" in explain(site, id, user)


def test_many_recipients_are_paged(site: Site) -> None:
    users = sorted(new_user("crowd") for _ in range(3))
    id = site.api.send_many(users, {"title": "t", "message": "m", "type": "info"}).json["id"]
    told = when(site, id, lambda t: len(t["items"]) == 3)
    assert (told["user_id"], told["next"], told["recipients"]) == (None, None, 3)
    first = timeline(site, id, limit=2)
    rest = timeline(site, id, limit=2, after=first["next"])
    assert [item["user_id"] for item in first["items"] + rest["items"]] == users
    one = timeline(site, id, users[0])
    assert (one["user_id"], one["items"]) == (users[0], [])


def test_an_unknown_notification_is_404_and_an_error_of_the_command(site: Site) -> None:
    id = site.send(new_user())
    for path in (f"{id}/timeline?user_id=stranger", "no-uuid/timeline", f"{id[:-4]}0000/timeline"):
        assert site.api.get(f"/api/notifications/{path}").status == 404
    assert site.api.get(f"/api/notifications/{id}/timeline?limit=0").status == 422
    done = processes.run("notifier", "explain", id, "stranger", env=site.backend.env)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no notification" in done.stderr


@pytest.fixture(params=backends.KINDS)
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Yield a site with web alone: the test may start the worker."""
    kind: str = request.param
    rabbit = request.getfixturevalue("rabbit_server") if kind == "production" else None
    with backends.open_backend(kind, tmp_path / "var", rabbit) as backend:
        site = Site(backend, tmp_path)
        try:
            site.start("migrate").wait(60)
            site.processes.clear()
            site.start("web").wait_ready(backend.base_url)
            yield site
        finally:
            site.close()


def test_a_killed_worker_and_what_the_next_one_found(parts: Site) -> None:
    site, user = parts, new_user("killed")
    worker = site.start("worker")
    first = site.send(user)
    site.arrived(user, 1, 45)
    worker.send_signal(signal.SIGKILL)
    worker.wait(10)
    with site.socket(user, 0, device="phone") as socket:
        socket_seen = site.send(user)
        told = timeline(site, socket_seen)
        assert told["summary"].startswith("No worker has taken it yet,")
        assert told["summary"].endswith("The broker answers: is a worker running?")
        assert "No worker has taken it yet" in explain(site, socket_seen)
        site.start("worker")
        socket.expect("event", 45, id=socket_seen)
        socket.send(op="ack", seq=2)
        told = when(site, socket_seen, lambda t: t["delivered"] == 1)
        assert "acked after" in told["summary"]
        assert steps(told)["dispatched"] - steps(told)["accepted"] > 100  # type: ignore[operator]
    assert timeline(site, first)["status"] == "dispatched"


def test_a_killed_gateway_leaves_a_socket_not_known_to_be_closed(parts: Site) -> None:
    site, user = parts, new_user("crash")
    site.start("worker")
    with site.socket(user, 0, device="phone") as socket:
        warm = site.send(user)
        socket.expect("event", 45, id=warm)
        socket.send(op="ack", seq=1)
        when(site, warm, lambda t: bool(t["sockets"]))
        site.processes[0].kill()
    site.start("web").wait_ready(site.backend.base_url)
    id = site.send(user)
    site.arrived(user, 2)
    told = timeline(site, id)
    assert [one["closed_at"] for one in told["sockets"]] == [None]
    assert steps(told)["delivered"] is None


@pytest.mark.timeout(180)
def test_what_the_broker_held_up_is_said_to_have_waited_for_it(stack: Stack, tmp_path: Path) -> None:
    site, user = Site(stack.backends[0], tmp_path), new_user("held")
    until(lambda: site.api.get("/readyz").status == 200, 45, "/readyz is 200")
    stack.kill("rabbitmq")
    id = site.send(user)
    said = timeline(site, id)["summary"]
    assert said.startswith("No worker has taken it yet,")
    assert said.endswith("The broker cannot be reached: it goes out when the broker is back.")
    assert "The broker cannot be reached" in explain(site, id)
    time.sleep(2)  # a shorter delay is not mentioned
    stack.start_again("rabbitmq")
    until(lambda: timeline(site, id)["status"] == "dispatched", 60, "it is dispatched")
    told = timeline(site, id)
    assert re.match("It waited .* before a worker was woken|No wake-up reached a worker", told["summary"]), (
        told
    )
    at = steps(told)
    assert at["dispatched"] - at["accepted"] > 2_000  # type: ignore[operator]
    site.api.close()
