"""The life of a notification, as its sender and its reader see it (docs/contract.md, section 8)."""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.harness.processes import REPO, clean_env, run
from tests.harness.site import Site
from tests.harness.waiting import until

ALERT = {"title": "t", "message": "m", "type": "info"}


def ahead(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def status_of(site: Site, id: str) -> str:
    answer = site.api.notification(id)
    assert answer.status == 200, answer
    found: str = answer.json["status"]
    return found


def test_an_alert_for_later_arrives_then(site: Site, user: str) -> None:
    at = ahead(1.5)
    with site.socket(user) as socket:
        answer = site.api.send(user, deliver_at=at)
        assert (answer.status, answer.json["status"]) == (202, "scheduled")
        id = answer.json["id"]
        now = site.send(user)
        assert socket.expect("event")["id"] == now
        event = socket.expect("event")
        due = datetime.fromisoformat(at)
        assert event["id"] == id
        assert event["timestamp"] == round(due.timestamp() * 1000)
        assert datetime.now(UTC) >= due
    told = site.api.notification(id).json
    assert (told["status"], told["deliver_at"]) == ("dispatched", event["timestamp"])
    assert told["accepted_at"] < told["deliver_at"]


def test_the_fields_are_told_and_refused(site: Site, user: str) -> None:
    answer = site.api.send(
        user, deliver_at="2026-01-02T03:04:05Z", expires_in=600, category="general", collapse_key="k"
    )
    assert (answer.status, answer.json["status"]) == (202, "accepted")
    told = site.api.notification(answer.json["id"]).json
    assert (told["category"], told["deliver_at"], told["version"]) == ("general", None, 1)
    assert told["expires_at"] > told["accepted_at"]
    refused = site.api.send(user, deliver_at="tomorrow", category="unknown", expires_in=-1, collapse_key="")
    assert refused.status == 422
    assert [error["loc"] for error in refused.json["errors"]] == [
        ["category"], ["deliver_at"], ["expires_in"], ["collapse_key"],
    ]  # fmt: skip


def test_the_first_answer_again_says_scheduled(site: Site, user: str) -> None:
    key, at = str(uuid.uuid4()), ahead(600)
    first, again = (site.api.send(user, deliver_at=at, key=key) for _ in range(2))
    assert again.json == first.json
    assert first.json["status"] == "scheduled"
    assert site.api.send(user, deliver_at=ahead(601), key=key).status == 422


def test_what_has_expired_is_never_shown(site: Site, user: str) -> None:
    gone = site.api.send(user, expires_at="2026-01-02T03:04:05Z").json["id"]
    site.send(user)
    site.arrived(user, 1)
    until(lambda: status_of(site, gone) == "expired", 10, "it expires")
    assert site.api.notification(gone).json["data"] is None
    with site.user(user) as reader:
        assert gone not in {item["id"] for item in reader.inbox().json["items"]}


def test_the_command_takes_the_fields(site: Site, user: str) -> None:
    done = run("notifier", "send", user, "--title", "t", "--message", "m", "--deliver-at", ahead(600),
               "--expires-in", "60", "--category", "general", "--collapse-key", "k", env=site.backend.env)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert status_of(site, done.stdout.strip()) == "scheduled"
    wrong = run(
        "notifier",
        "send",
        user,
        "--title",
        "t",
        "--message",
        "m",
        "--deliver-at",
        "noon",
        env=site.backend.env,
    )
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("deliver_at: ")


FAR = """
import sys
from worker.app import app
user, near, far, late = sys.argv[1:]
data = {"title": "By name", "message": "m", "type": "info"}
for number in range(60):
    app.send_task("notifier.send_notification", kwargs={"user_id": user, "data": data}, countdown=86_400)
def send(id, countdown=None, **more):
    app.send_task("notifier.send_notification", kwargs={"user_id": user, "data": data, "id": id, **more}, countdown=countdown)
send(far, 86_400)
send(near, 1)
send(late, deliver_at="2027-01-02T03:04:05Z")
"""


def test_far_tasks_by_name_are_stored_at_once_and_hold_up_nobody(site: Site, user: str) -> None:
    near, far, late = (str(uuid.uuid4()) for _ in range(3))
    arguments: list[Any] = [sys.executable, "-c", FAR, user, near, far, late]
    with site.socket(user) as socket:
        done = subprocess.run(
            arguments, env=clean_env(site.backend.env), cwd=REPO, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert socket.expect("event")["id"] == near
    for id in (far, late):
        until(lambda id=id: site.api.notification(id).status == 200, 15, "it is stored")
        assert status_of(site, id) == "scheduled"
    in_days = site.api.notification(far).json["deliver_at"] / 1000 - datetime.now(UTC).timestamp()
    assert 80_000 < in_days < 90_000


def test_a_scheduled_one_is_canceled_and_never_arrives(site: Site, user: str) -> None:
    id = site.api.send(user, deliver_at=ahead(2)).json["id"]
    answer = site.api.cancel(id)
    assert answer.status == 200
    assert answer.json == {"id": id, "status": "canceled", "recipients": 1, "reached": 0, "in_flight": 0}
    assert site.api.cancel(id).json == answer.json
    told = site.api.notification(id).json
    assert (told["status"], told["data"]) == ("canceled", None)
    with site.socket(user) as socket:
        marker = site.api.send(user, deliver_at=ahead(2.5)).json["id"]
        assert socket.expect("event")["id"] == marker


def test_a_wrong_alert_is_taken_back_from_every_screen(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        id = site.send(user, "Wrong")
        assert socket.expect("event")["id"] == id
        answer = site.api.cancel(id)
        assert (answer.status, answer.json["status"], answer.json["reached"]) == (200, "retracted", 1)
        event = socket.expect("event")
        assert (event["event"], event["unread"]) == ("inbox.archived", 0)
        assert event["data"] == {"ids": [id], "why": "retracted"}
    with site.user(user) as reader:
        page = reader.inbox().json
    assert (page["items"], page["unread"]) == ([], 0)
    with site.socket(user, after=0) as socket:
        assert site.api.update(id, ALERT).status == 409


def test_a_broadcast_is_taken_back_from_all(site: Site, user: str) -> None:
    users = [f"{user}-{number}" for number in range(300)]
    with site.socket(users[-1]) as socket:
        id = site.api.send_many(users, ALERT).json["id"]
        assert socket.expect("event")["id"] == id
        until(lambda: status_of(site, id) == "dispatched", 30, "it is dispatched")
        assert site.api.cancel(id).json["reached"] == 300
        with site.user(users[0]) as reader:
            assert reader.inbox().json["items"] == []
        assert socket.expect("event", seconds=30)["data"] == {"ids": [id], "why": "retracted"}


def test_what_an_alert_says_is_changed_everywhere(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        id = site.send(user, "Before")
        socket.expect("event")
        after = {**ALERT, "title": "After"}
        answer = site.api.update(id, after)
        assert (answer.status, answer.json) == (200, {"id": id, "version": 2})
        event = socket.expect("event")
        assert (event["event"], event["unread"]) == ("inbox.updated", 1)
        assert event["data"] == {"ids": [id], "version": 2, "data": after}
    assert site.api.update(id, after, version=1).status == 409
    assert site.api.update(id, {"title": "no message"}).status == 422
    with site.user(user) as reader:
        (item,) = reader.inbox().json["items"]
    assert (item["data"], item["version"]) == (after, 2)


def test_it_expires_on_the_screen(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        id = site.api.send(user, expires_in=1).json["id"]
        assert socket.expect("event")["id"] == id
        event = socket.expect("event")
        assert (event["event"], event["data"]) == ("inbox.archived", {"ids": [id], "why": "expired"})
    assert site.api.cancel(id).status == 409


def test_a_batch_is_accepted_each_by_itself(site: Site, user: str) -> None:
    key = str(uuid.uuid4())
    good = {"user_id": user, "data": ALERT}
    answer = site.api.batch([
        {**good, "idempotency_key": key}, {**good, "data": {}}, 7, {**good, "deliver_at": ahead(600)},
        {**good, "idempotency_key": key}, {**good, "data": {**ALERT, "title": "x"}, "idempotency_key": key},
    ])  # fmt: skip
    assert answer.status == 202
    first, *rest = answer.json["results"]
    assert first == {"id": first["id"], "status": "accepted", "recipients": 1}
    assert [result["status"] for result in rest] == ["refused", "refused", "scheduled", "accepted", "refused"]
    assert rest[3]["id"] == first["id"]
    assert rest[0]["errors"][0]["loc"][0] == "data"
    site.arrived(user, 1)
    for wrong in ([], [good] * 1001):
        assert site.api.batch(wrong).status == 422


def test_a_batch_has_no_key_of_its_own(site: Site, user: str) -> None:
    body = {"notifications": [{"user_id": user, "data": ALERT}]}
    answer = site.api.post("/api/notifications/batch", body, headers={"Idempotency-Key": str(uuid.uuid4())})
    assert answer.status == 422
    assert [problem["loc"] for problem in answer.json["errors"]] == [["Idempotency-Key"]]
    assert "idempotency_key" in answer.json["errors"][0]["msg"]
    with site.user(user) as reader:
        assert reader.inbox().json["items"] == []


def test_the_command_cancels(site: Site, user: str) -> None:
    id = site.api.send(user, deliver_at=ahead(600)).json["id"]
    done = run("notifier", "cancel", id, env=site.backend.env)
    assert (done.returncode, done.stdout) == (0, "canceled: recipients=1 reached=0 in_flight=0\n")
    assert run("notifier", "cancel", str(uuid.uuid4()), env=site.backend.env).returncode == 1
