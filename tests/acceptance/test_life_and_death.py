"""Withdrawn and due notifications while processes are killed and stopped: nothing stays, is early or doubled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.harness import backends
from tests.harness.processes import Process, run
from tests.harness.site import Site, new_user
from tests.harness.waiting import until

ALERT = {"title": "Order Shipped", "message": "On its way.", "type": "info"}
MANY = 10_000


@pytest.fixture(params=backends.KINDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A migrated backend with a web process; the test starts workers."""
    rabbit = request.getfixturevalue("rabbit_server") if request.param == "production" else None
    with backends.open_backend(request.param, tmp_path / "var", rabbit) as backend:
        site = Site(backend, tmp_path)
        done = run("notifier", "migrate", env=backend.env)
        assert done.returncode == 0, done.stderr
        site.start("web").wait_ready(backend.base_url)
        yield site
        site.close()


def worker(site: Site) -> Process:
    return site.start("worker").wait_logged("ready")


def verified(site: Site) -> None:
    done = run("notifier", "verify", env=site.backend.env)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("killed", ["before it is retracted", "while it is taken back"])
def test_a_broadcast_under_way_is_taken_back_although_the_worker_is_killed(site: Site, killed: str) -> None:
    users = [f"{new_user()}-{number:05}" for number in range(MANY)]
    first = worker(site)
    with site.socket(users[0]) as early, site.socket(users[-1]) as late:
        id = site.api.send_many(users, ALERT).json["id"]
        assert early.expect("event", seconds=30)["id"] == id
        if killed == "before it is retracted":
            first.kill()
        answer = site.api.cancel(id)
        assert (answer.status, answer.json["status"]) == (200, "retracted")
        reached = answer.json["reached"]
        assert 0 < reached <= answer.json["recipients"] == MANY
        first.kill()
        assert site.api.notification(id).json["data"] is None
        with site.user(users[0]) as reader:
            assert reader.inbox().json["items"] == []
        worker(site)
        event = early.expect("event", seconds=60)
        assert (event["event"], event["unread"]) == ("inbox.archived", 0)
        assert event["data"] == {"ids": [id], "why": "retracted"}
        until(lambda: site.rows("changes") == reached, 60, "every log is told, once")
        marker = site.send(users[-1])
        got = [late.expect("event", seconds=30)]
        while got[-1]["id"] != marker:
            got.append(late.expect("event", seconds=30))
    assert site.rows("deliveries") == reached + 1, "no chunk after the answer"
    assert site.api.cancel(id).json == {**answer.json, "reached": reached}
    assert len(got) == (3 if reached == MANY else 1)
    for user in (users[0], users[reached - 1]):
        with site.user(user) as reader:
            page = reader.inbox().json
            assert (page["items"] if user != users[-1] else page["items"][1:]) == []
    verified(site)


@pytest.mark.timeout(300)
def test_what_is_due_while_everything_is_stopped_goes_out_at_the_next_start(site: Site) -> None:
    started = worker(site)
    users = [new_user() for _ in range(20)]
    at = datetime.now(UTC) + timedelta(seconds=4)
    body = {"data": ALERT, "deliver_at": at.isoformat()}
    results = site.api.batch([{**body, "user_id": user} for user in users for _ in range(10)]).json["results"]
    assert {result["status"] for result in results} == {"scheduled"}
    broadcast = site.api.send_many(users + [new_user() for _ in range(300)], **body).json["id"]
    over = site.api.send(users[0], **body, expires_in=0.5).json["id"]
    never = site.api.send(users[0], **body).json["id"]
    assert site.api.cancel(never).json["status"] == "canceled"
    started.terminate()
    site.processes[0].terminate()
    time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds() + 1))
    site.start("web").wait_ready(site.backend.base_url)
    worker(site)
    for user in users:
        site.arrived(user, 11, 30)
    time.sleep(1)  # what comes twice
    due = round(at.timestamp() * 1000)
    for user in users:
        with site.user(user) as reader:
            items = reader.inbox().json["items"]
        assert len(items) == 11
        assert {item["timestamp"] for item in items} == {due}
        assert broadcast in {item["id"] for item in items}
        assert {over, never}.isdisjoint(item["id"] for item in items)
    until(lambda: site.api.notification(over).json["status"] == "expired", 10, "it expires")
    verified(site)


@pytest.mark.timeout(300)
def test_many_are_due_in_one_second_and_one_of_two_workers_is_killed_then(site: Site) -> None:
    killed, _ = worker(site), worker(site)
    users = [new_user() for _ in range(50)]
    at = datetime.now(UTC) + timedelta(seconds=8)
    each = 40
    for _ in range(each // 20):
        some = [{"user_id": user, "data": ALERT, "deliver_at": at.isoformat()} for user in users * 20]
        results = site.api.batch(some).json["results"]
        assert {result["status"] for result in results} == {"scheduled"}
    with site.socket(users[0]) as socket:
        socket.expect("event", seconds=30)
        assert datetime.now(UTC) >= at
        killed.kill()
        for seq in range(2, each + 1):
            socket.expect("event", seconds=30, seq=seq)
    for user in users:
        site.arrived(user, each, 30)
    time.sleep(1)  # what comes twice
    assert site.rows("deliveries") == len(users) * each
    verified(site)
