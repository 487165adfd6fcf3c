"""The logs of a whole run at level DEBUG: JSON, with ids, without content of notifications."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery

from notifier.broker.topology import configure_celery
from notifier.settings import Settings
from tests.harness.backends import Backend
from tests.harness.plain_socket import Socket
from tests.harness.site import Site, new_user, running_site
from tests.harness.tokens import user_token, wrong_tokens
from tests.harness.waiting import until

TITLE, MESSAGE, LABEL = "Tulips-for-Anna", "your-diagnosis-is-ready", "Open-the-letter"
ALERT = {
    "title": TITLE,
    "message": MESSAGE,
    "type": "info",
    "action": {"label": LABEL, "url": "/letters/4711-private"},
}
WORDS = [TITLE, MESSAGE, LABEL, "4711-private"]


@pytest.fixture
def site(backend: Backend, tmp_path: Any) -> Iterator[Site]:
    env = {**backend.env, "NOTIFIER_LOG_LEVEL": "DEBUG", "NOTIFIER_LOG_FORMAT": "json"}
    with running_site(dataclasses.replace(backend, env=env), tmp_path) as started:
        yield started


def lines(site: Site) -> list[dict[str, Any]]:
    """Return every log line of the run, without what `notifier up` prints on standard output."""
    found = []
    for line in logged(site).splitlines():
        if line.startswith("{"):
            found.append(json.loads(line))
        else:
            assert line.startswith(("Live Notifications on ", "  dashboard ", "  API key ", "  data ")), line
    return found


def logged(site: Site) -> str:
    return "".join(file.read_text() for file in site.logs.glob("*.log"))


def steps(site: Site, **ids: object) -> list[str]:
    """Return the first word of each line with these ids, in the order of time."""
    return [
        line["message"].partition(":")[0]
        for line in sorted(lines(site), key=lambda line: str(line["time"]))
        if all(line.get(name) == value for name, value in ids.items())
    ]


@contextmanager
def producer(backend: Backend) -> Iterator[Celery]:
    """Return a Celery producer of another application."""
    given = {
        "database_url": backend.database_url,
        "broker_url": backend.broker_url,
        "var_dir": backend.var_dir,
    }
    app = Celery("theirs", set_as_current=False)
    configure_celery(app, Settings.load(_env_file=None, **given))
    yield app
    app.close()


def test_one_notification_is_followed_from_its_202_to_its_ack(site: Site) -> None:
    user = new_user()
    with site.socket(user, device="phone") as socket:
        id = site.api.send(user, ALERT).json["id"]
        seq = socket.expect("event")["seq"]
        socket.send(op="ack", seq=seq)
        until(lambda: "delivered" in steps(site, notification=id), 10, "delivered")
    assert steps(site, notification=id) == ["accepted", "dispatched", "published", "delivered"]
    assert steps(site, notification=id, user=user, seq=seq) == ["dispatched", "published"]
    (hello,) = [line for line in lines(site) if line["message"].startswith("hello") and line["user"] == user]
    assert hello["gateway"]
    followed = steps(site, socket=hello["socket"], user=user)
    assert followed.index("sent") < followed.index("acked")


def test_no_content_and_no_credentials_are_in_a_log(site: Site) -> None:
    user, backend = new_user(), site.backend
    token = backend.token(user)
    wrong = [text for text in wrong_tokens(user, backend.secret).values() if text]
    with site.socket(user, device="phone") as socket:
        # Valid calls.
        site.api.send(user, ALERT)
        site.api.send_many([user, "another"], ALERT)
        for _ in range(2):
            socket.send(op="ack", seq=socket.expect("event")["seq"])
        socket.send(op="read", through=2)
        socket.until("event")
        # Invalid calls: refused by the schema, the socket and the authentication.
        site.api.send(user, {**ALERT, "type": MESSAGE})
        site.api.send(user, {**ALERT, MESSAGE: 1})
        site.api.post("/api/notifications", {"user_id": user, "data": ALERT, "id": TITLE})
        socket.send(op="read", ids=[MESSAGE])
        socket.send(op=MESSAGE)
        for text in [*wrong, token[:-4]]:
            with Socket(backend.ws_url) as stranger:
                stranger.send(op="hello", token=text, after=None)
                stranger.expect_close(4401)
    # An internal failure: a row that cannot be dispatched.
    with producer(backend) as theirs:
        for name, kwargs in {
            "notifier.send_notification": {"user_id": user, "data": {**ALERT, "type": MESSAGE}},
            "notifier.update_badge": {"user_id": user, "type": MESSAGE, "count": 1},
            "not.ours": {"data": ALERT},
        }.items():
            theirs.send_task(name, kwargs=kwargs, queue="notifier", ignore_result=True)
        for more in ({MESSAGE: 1}, {"event": MESSAGE}, {"id": MESSAGE}, {"user_ids": [MESSAGE, 7]}):
            kwargs = {"user_id": user, "data": ALERT, **more}
            theirs.send_task(
                "notifier.send_notification",
                kwargs=kwargs,
                queue="notifier",
                ignore_result=True,
                task_id=MESSAGE,
            )
        theirs.send_task("notifier.send_notification", args=[ALERT] * 9, queue="notifier", ignore_result=True)
    until(lambda: "reason=unknown task" in logged(site), 20, "the stranger's task is refused")
    until(lambda: logged(site).count("task rejected") == 6, 20, "all tasks are rejected")
    site.api.send(user, ALERT)
    site.arrived(user, 4)

    said = logged(site)
    secrets = [token, *wrong, backend.secret, backend.api_key]
    for word in [*WORDS, *secrets, *(text.rpartition(".")[2] for text in [token, *wrong] if "." in text)]:
        if word:
            assert word not in said, f"{word!r}: {[line for line in said.splitlines() if word in line][:2]}"
    assert user in said
    assert lines(site)


def test_no_part_of_a_wrong_token_is_logged(site: Site) -> None:
    """This includes the parts that a JWT library shows: the header and the claims."""
    stolen = user_token("somebody", "x" * 32)
    with site.user("somebody") as api:
        assert api.get("/api/inbox").status == 200
    with Socket(site.backend.ws_url) as socket:
        socket.send(op="hello", token=stolen, after=None)
        socket.expect_close(4401)
    assert not [part for part in stolen.split(".")[1:] if part in logged(site)]
