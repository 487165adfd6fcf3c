"""Snooze, return and seen from outside: HTTP, the socket, a worker's timer."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.harness.processes import REPO, clean_env
from tests.harness.site import Site


def test_a_snoozed_entry_leaves_and_comes_back_at_its_time(site: Site, user: str) -> None:
    id = site.api.send(user).json["id"]
    site.arrived(user, 1)
    with site.user(user) as api, site.socket(user, after=1) as socket:
        due = round(time.time() * 1000) + 1_500
        answer = api.post("/api/inbox/snooze", {"ids": [id], "until": due})
        assert (answer.status, answer.json) == (200, {"seq": 2, "unread": 0})
        left = socket.expect("event")
        assert (left["event"], left["data"]) == ("inbox.archived", {"ids": [id], "why": "snoozed"})
        assert api.get("/api/inbox").json["items"] == []
        (item,) = api.get("/api/inbox?status=snoozed").json["items"]
        assert (item["id"], item["snoozed_until"]) == (id, due)
        back = socket.expect("event")
        assert (back["id"], back["seq"], back["unread"], back["returned"]) == (id, 3, 1, True)
        assert time.time() * 1000 >= due - 100
        (item,) = api.get("/api/inbox").json["items"]
        assert (item["seq"], item["returned"], item["read_at"]) == (3, True, None)


def test_the_ops_do_what_the_calls_do_and_welcome_names_them(site: Site, user: str) -> None:
    id = site.api.send(user).json["id"]
    site.arrived(user, 1)
    with site.open() as socket:
        welcome = socket.hello(site.backend.token(user))
        assert {"seen", "snooze", "unsnooze"} <= set(welcome["ops"])
        assert (welcome["seen"], welcome["unseen"]) == (0, 1)
        socket.until("live")
        socket.send(op="seen", through=1)
        assert socket.expect("event")["data"] == {"through": 1}
        socket.send(op="snooze", ids=[id], until=round(time.time() * 1000) + 3_600_000)
        assert socket.expect("event")["data"]["why"] == "snoozed"
        socket.send(op="unsnooze", ids=[id])
        assert socket.expect("event")["returned"] is True
        socket.send(op="snooze", ids=[id], until=round(time.time() * 1000) + 401 * 86_400_000)
        assert socket.expect("error")["code"] == "invalid"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("seen", {}), ("seen", {"through": -1}), ("seen", {"ids": ["x"]}), ("snooze", {"ids": []}),
        ("snooze", {"until": 7}), ("snooze", {"ids": ["x"], "until": 7}), ("unsnooze", {"until": 7}),
        ("snooze", {"ids": ["01890a5d-ac96-774b-bcce-b302099a8057"], "until": 253_402_300_799_999}),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_422(site: Site, user: str, path: str, body: dict[str, object]) -> None:
    with site.user(user) as api:
        answer = api.post(f"/api/inbox/{path}", body)
        assert answer.status == 422
        assert answer.json["errors"]


def test_the_command_shows_what_a_user_has(site: Site, user: str) -> None:
    id = site.api.send(user).json["id"]
    site.arrived(user, 1)
    done = subprocess.run(
        [sys.executable, "-m", "cli", "inbox", user], env=clean_env(site.backend.env), cwd=REPO,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert id in done.stdout
    assert '"state": "unread"' in done.stdout
