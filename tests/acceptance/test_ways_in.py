"""What section 8 of the contract lets a sender do is the same through every way in: HTTP, Python, task, command."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.harness.processes import REPO, clean_env, run
from tests.harness.site import Site
from tests.harness.waiting import until

ALERT = {"title": "t", "message": "m", "type": "info"}
Fields = dict[str, Any]


def ahead(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


GOOD: dict[str, Callable[[], Fields]] = {
    "nothing": dict,
    "later": lambda: {"deliver_at": ahead(600)},
    "at a past time": lambda: {"deliver_at": ahead(-60)},
    "until": lambda: {"expires_at": ahead(600)},
    "for a while": lambda: {"expires_in": 600},
    "later, for a while": lambda: {"deliver_at": ahead(600), "expires_in": 60.5},
    "of a category": lambda: {"category": "general"},
    "replacing": lambda: {"collapse_key": "k"},
    "replacing it": lambda: {"collapse_key": "k"},
}
WRONG: dict[str, tuple[Callable[[], Fields], str]] = {
    "no time": (lambda: {"deliver_at": "tomorrow"}, "deliver_at"),
    "no offset": (lambda: {"deliver_at": "2027-01-02T03:04:05"}, "deliver_at"),
    "too far": (lambda: {"deliver_at": ahead(401 * 86_400)}, "deliver_at"),
    "over before": (lambda: {"deliver_at": ahead(600), "expires_at": ahead(599)}, "expires_at"),
    "twice": (lambda: {"expires_at": ahead(600), "expires_in": 600}, "expires_in"),
    "no while": (lambda: {"expires_in": 0}, "expires_in"),
    "unknown category": (lambda: {"category": "unheard-of"}, "category"),
    "no key": (lambda: {"collapse_key": ""}, "collapse_key"),
    "a long key": (lambda: {"collapse_key": "k" * 129}, "collapse_key"),
}
OK = "accepted"
REFUSED = "refused"  # with a place, where the way tells its caller

PYTHON = """
import json, sys
from datetime import datetime
from notifier import InvalidInput, cancel_notification, send_all, send_notification, update_notification
way, user, data, cases = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
def moment(value):
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return value
said = []
for id, fields in cases:
    fields = {name: moment(value) if name.endswith("_at") else value for name, value in fields.items()}
    try:
        if way == "send_all":
            send_all([{"user_id": user, "data": data, "id": id, **fields}])
        else:
            send_notification(user, data, id=id, **fields)
        said.append("accepted")
    except InvalidInput as exc:
        said.append("refused " + " ".join(str(one["loc"][-1]) for one in exc.problems))
print(json.dumps(said))
"""
TASKS = """
import json, sys
from celery import Celery
from notifier.settings import Settings
from notifier.broker.topology import configure_celery
user, data, cases = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
app = Celery("theirs")
configure_celery(app, Settings.load())
for id, fields in cases:
    kwargs = {"user_id": user, "data": data, "id": id, **fields}
    celerys = {name: kwargs.pop(name) for name in ("countdown", "expires") if name in kwargs}
    app.send_task("notifier.send_notification", kwargs=kwargs, queue="notifier", **celerys)
"""


def script(site: Site, text: str, *arguments: Any) -> str:
    words = [sys.executable, "-c", text, *arguments]
    done = subprocess.run(
        words, env=clean_env(site.backend.env), cwd=REPO, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


Cases = Sequence[tuple[str, Fields]]


def by_http(site: Site, user: str, cases: Cases) -> list[str]:
    said = []
    for id, fields in cases:
        answer = site.api.send(user, ALERT, id=id, **fields)
        places = [str(error["loc"][-1]) for error in answer.json.get("errors", ())]
        said.append(OK if answer.status == 202 else " ".join([REFUSED, *places]))
    return said


def by_batch(site: Site, user: str, cases: Cases) -> list[str]:
    asked = [{"user_id": user, "data": ALERT, "id": id, **fields} for id, fields in cases]
    results = site.api.batch(asked).json["results"]
    return [
        " ".join([REFUSED, *(str(error["loc"][-1]) for error in one["errors"])]) if "errors" in one else OK
        for one in results
    ]


def by_python(site: Site, user: str, cases: Cases, way: str = "send") -> list[str]:
    said: list[str] = json.loads(script(site, PYTHON, way, user, json.dumps(ALERT), json.dumps(cases)))
    return said


def by_send_all(site: Site, user: str, cases: Cases) -> list[str]:
    return by_python(site, user, cases, "send_all")


def by_task(site: Site, user: str, cases: Cases) -> list[str]:
    last = str(uuid.uuid4())
    script(site, TASKS, user, json.dumps(ALERT), json.dumps([*cases, (last, {})]))
    until(lambda: site.api.notification(last).status == 200, 20, "the last task is stored")
    return [OK if site.api.notification(id).status == 200 else REFUSED for id, _ in cases]


def by_command(site: Site, user: str, cases: Cases) -> list[str]:
    said = []
    for id, fields in cases:
        options = [
            word for name, value in fields.items() for word in (f"--{name.replace('_', '-')}", str(value))
        ]
        done = run("notifier", "send", user, "--title", "t", "--message", "m", "--id", id, *options,
                   env=site.backend.env)  # fmt: skip
        said.append(OK if done.returncode == 0 else f"{REFUSED} {done.stderr.partition(':')[0]}")
    return said


WAYS = {
    "HTTP": by_http,
    "HTTP, batch": by_batch,
    "Python": by_python,
    "Python, send_all": by_send_all,
    "task": by_task,
    "command": by_command,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_field_is_taken_through_every_way(site: Site, user: str, way: str) -> None:
    ids = {name: str(uuid.uuid4()) for name in GOOD}
    cases = [(ids[name], make()) for name, make in GOOD.items()]
    assert WAYS[way](site, user, cases) == [OK] * len(GOOD)

    def told(name: str) -> dict[str, Any]:
        answer: dict[str, Any] = site.api.notification(ids[name]).json
        return answer

    until(lambda: told("replacing it")["status"] == "dispatched", 20, "all that is due is dispatched")
    later = {"later", "later, for a while"}
    assert {name: told(name)["status"] for name in GOOD} == {
        name: "scheduled" if name in later else "dispatched" for name in GOOD
    }
    given = dict(zip(GOOD, [fields for _, fields in cases], strict=True))
    for name in later:
        due = datetime.fromisoformat(given[name]["deliver_at"]).timestamp() * 1000
        assert told(name)["deliver_at"] == round(due)
    assert told("at a past time")["deliver_at"] is None
    until_ms = datetime.fromisoformat(given["until"]["expires_at"]).timestamp() * 1000
    assert told("until")["expires_at"] == round(until_ms)
    assert told("for a while")["expires_at"] - told("for a while")["accepted_at"] == pytest.approx(
        600_000, abs=5_000
    )
    assert told("later, for a while")["expires_at"] - told("later, for a while")["deliver_at"] == 60_500
    assert told("nothing")["expires_at"] is told("nothing")["deliver_at"] is None
    with site.user(user) as reader:
        items = {item["id"]: item for item in reader.inbox().json["items"]}
    assert ids["replacing"] not in items
    assert items[ids["replacing it"]]["collapsed"] == 2
    assert len(items) == len(GOOD) - 3 + (1 if way == "task" else 0)  # two later, one replaced; the last task


@pytest.mark.parametrize("way", WAYS)
def test_what_is_wrong_is_refused_through_every_way(site: Site, user: str, way: str) -> None:
    cases = [(str(uuid.uuid4()), make()) for make, _ in WRONG.values()]
    said = WAYS[way](site, user, cases)
    places = [place for _, place in WRONG.values()]
    assert said == [REFUSED if way == "task" else f"{REFUSED} {place}" for place in places]
    assert {site.api.notification(id).status for id, _ in cases} == {404}


def test_celerys_own_fields_of_a_task_mean_what_they_say(site: Site, user: str) -> None:
    cases: list[tuple[str, Fields]] = [
        (str(uuid.uuid4()), {"countdown": 600, "expires": 900}),
        (str(uuid.uuid4()), {"countdown": 600, "expires": 300}),
        (str(uuid.uuid4()), {"countdown": 600, "expires": 900, "deliver_at": ahead(1_200)}),
        (str(uuid.uuid4()), {"expires": 600}),
    ]
    assert by_task(site, user, cases) == [OK, REFUSED, OK, OK]
    first, _, third, last = (site.api.notification(id).json for id, _ in cases)
    assert [first["status"], third["status"]] == ["scheduled"] * 2
    assert first["expires_at"] is third["expires_at"] is last["expires_at"] is None
    assert third["deliver_at"] - first["deliver_at"] == pytest.approx(600_000, abs=10_000)
