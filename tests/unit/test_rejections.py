"""The checks of a message before Celery handles it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from celery import Celery

from notifier.wake import SEND
from worker.rejections import COMMANDS, fault

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass
class Message:
    """A message as kombu delivers it."""

    body: bytes | str
    headers: dict[str, Any] = field(default_factory=dict)
    content_type: str | None = "application/json"
    content_encoding: str | None = "utf-8"


@pytest.fixture(scope="module")
def tasks() -> dict[str, Any]:
    from worker.app import app

    app.loader.import_default_modules()
    return dict(app.tasks)


def sent(**options: Any) -> Message:
    """Return the message of a plain Celery producer for a task by name."""
    producer = Celery("theirs", set_as_current=False)
    kwargs = {"user_id": "u1", "data": {"title": "t"}}
    made = producer.amqp.as_task_v2(ID, SEND, (), kwargs, **options)
    return Message(orjson.dumps(made.body), made.headers)


def test_a_plain_producers_task_is_taken(tasks: dict[str, Any]) -> None:
    assert fault(sent(), tasks) is None
    assert fault(sent(countdown=5, expires=60, retries=3), tasks) is None
    assert fault(Message(sent().body.decode(), sent().headers), tasks) is None  # type: ignore[union-attr]


def test_a_task_of_celerys_protocol_1_is_taken(tasks: dict[str, Any]) -> None:
    made = Celery("theirs", set_as_current=False).amqp.as_task_v1(ID, SEND, (), {"user_id": "u1", "data": {}})
    assert fault(Message(orjson.dumps(made.body)), tasks) is None


def test_a_message_that_would_start_other_tasks_is_rejected(tasks: dict[str, Any]) -> None:
    producer = Celery("theirs", set_as_current=False)
    other = producer.signature("notifier.purge")
    for options in ({"callbacks": [other]}, {"errbacks": [other]}, {"chain": [other]}, {"chord": other}):
        assert fault(sent(**options), tasks) == "callbacks, chains and chords are not for us"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"content_type": "application/x-python-serialize"}, "not JSON by its type"),
        ({"content_type": None}, "not JSON by its type"),
        ({"body": b""}, "not JSON"),
        ({"body": b"[[], {}]"}, "not [args, kwargs, embed]"),
        ({"body": b"[1, {}, {}]"}, "args is not a list, or kwargs not an object"),
        ({"body": b"[[], {}, 7]"}, "callbacks, chains and chords are not for us"),
        ({"body": b"[[1,2,3,4,5,6,7,8,9], {}, {}]"}, "arguments that the task does not take"),
        ({"body": b" " * (17 * 1024 * 1024)}, "too big"),
        ({"headers": {}}, "no task"),
        ({"headers": {"task": "os.system", "id": ID}}, "unknown task"),
        ({"headers": {"task": "celery.map", "id": ID}}, "unknown task"),
        ({"headers": {"task": ["x"], "id": ID}}, "unknown task"),
        ({"headers": {"task": SEND}}, "no id"),
        ({"headers": {"task": SEND, "id": "x" * 256}}, "no id"),
        ({"headers": {"task": SEND, "id": ID, "retries": -1}}, "retries is not a number"),
        ({"headers": {"task": SEND, "id": ID, "timelimit": [1, 2]}}, "time limits are not for us"),
        ({"headers": {"task": SEND, "id": ID, "eta": "never"}}, "eta is not a time"),
        ({"headers": {"task": SEND, "id": ID, "expires": 7}}, "expires is not a time"),
    ],
)
def test_a_message_that_breaks_a_rule_is_rejected(
    changed: dict[str, Any], reason: str, tasks: dict[str, Any]
) -> None:
    message = sent()
    for name, value in changed.items():
        setattr(message, name, value)
    assert fault(message, tasks) == reason


def test_no_command_that_is_obeyed_changes_a_worker() -> None:
    assert not COMMANDS & {
        "shutdown",
        "pool_restart",
        "revoke",
        "terminate",
        "rate_limit",
        "time_limit",
        "conf",
    }
