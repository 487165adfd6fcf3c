"""A log line is an object with the ids as fields, and the content of a rejected message is not shown."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from amqp.exceptions import RecoverableConnectionError
from celery.worker.consumer import consumer

from monitoring import logs
from tests.harness.world import settings


def record(message: str, *args: Any, exc_info: Any = None) -> logging.LogRecord:
    """Return a record as a logger makes it."""
    made = logging.LogRecord("web.gateway", logging.WARNING, __file__, 1, message, args, exc_info)
    made.created = 1_795_356_814.243
    return made


def line(message: str, *args: Any, exc_info: Any = None) -> dict[str, Any]:
    text = logs.JsonFormatter().format(record(message, *args, exc_info=exc_info))
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_has_time_level_logger_and_message() -> None:
    assert line("the broker is back") == {
        "time": "2026-11-22T14:13:34.243+00:00",
        "level": "WARNING",
        "logger": "web.gateway",
        "message": "the broker is back",
    }


def test_each_named_value_is_a_field_too() -> None:
    found = line(
        "hello: socket=%s user=%s after=%s head=%d took %.1f ms share=%5.2f", "s", "u", None, 7, 1.26, 0.5
    )
    assert found["message"] == "hello: socket=s user=u after=None head=7 took 1.3 ms share= 0.50"
    assert {name: found[name] for name in ("socket", "user", "after", "head", "share")} == {
        "socket": "s",
        "user": "u",
        "after": None,
        "head": 7,
        "share": 0.5,
    }


def test_values_without_a_name_and_per_cent_signs_are_ignored() -> None:
    found = line("%s is 100%% full: part=%s", "web", "disk")
    assert (found["message"], found["part"]) == ("web is 100% full: part=disk", "disk")
    assert set(found) == {"time", "level", "logger", "message", "part"}


def test_a_value_never_takes_the_place_of_the_lines_own_fields() -> None:
    assert line("level=%s time=%s", "high", "late")["level"] == "WARNING"


def test_arguments_by_name_make_the_message_only() -> None:
    made = record("connected to %(where)s")
    made.args = {"where": "amqp"}
    assert json.loads(logs.JsonFormatter().format(made))["message"] == "connected to amqp"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (ValueError("no"), "no"),
        (datetime(2026, 11, 23, tzinfo=UTC), "2026-11-23T00:00:00+00:00"),
        (["a", 1], ["a", 1]),
        ('"quoted"\nand broken', '"quoted"\nand broken'),
        ("half a \ud83d", "half a ?"),
        (1 << 70, str(1 << 70)),
    ],
)
def test_whatever_a_value_is_the_line_is_json(value: object, shown: object) -> None:
    assert line("error=%s", value)["error"] == shown


def test_an_exception_stays_on_its_line() -> None:
    try:
        raise RuntimeError("inside")
    except RuntimeError:
        found = line("a loop died: loop=%s", "acks", exc_info=sys.exc_info())
    assert found["loop"] == "acks"
    assert "RuntimeError: inside" in found["exception"]


# ---------------------------------------------------------------------- what processes set up


@pytest.fixture
def _as_before() -> Iterator[None]:
    """Restore the test run's logging."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers[:] = kept
    root.setLevel(level)
    logging.captureWarnings(False)
    for ours in logs.OURS:
        logging.getLogger(ours).setLevel(logging.NOTSET)


@pytest.mark.usefixtures("_as_before")
def test_the_setting_chooses(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings(log_format="json"))
    logging.getLogger("x").info("gateway starts: gateway=%s", "g1")
    assert json.loads(capsys.readouterr().err)["gateway"] == "g1"
    logs.configure(settings(log_format="console"))
    logging.getLogger("x").info("gateway starts: gateway=%s", "g1")
    assert capsys.readouterr().err.endswith(" INFO x gateway starts: gateway=g1\n")


@pytest.mark.usefixtures("_as_before")
def test_debug_is_for_our_own_lines(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings(log_level="debug"))
    logging.getLogger("celery.pool").debug("a whole message")
    logging.getLogger("celery.pool").info("something that matters")
    logging.getLogger("web.gateway.connection").debug("hello: socket=%s", "s1")
    said = capsys.readouterr().err
    assert "a whole message" not in said
    assert "something that matters" in said
    assert "hello: socket=s1" in said


@pytest.mark.usefixtures("_as_before")
def test_a_higher_level_holds_for_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings(log_level="error"))
    for name in ("celery.pool", "web.gateway.connection"):
        logging.getLogger(name).warning("not now")
    assert capsys.readouterr().err == ""


SECRET = "the text of somebody's alert"


@pytest.mark.usefixtures("_as_before")
@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize(
    ("template", "args", "left"),
    [
        (consumer.UNKNOWN_FORMAT, (SECRET,), "Received and deleted unknown message"),
        (
            consumer.UNKNOWN_TASK_ERROR,
            ("my.task", SECRET, SECRET, SECRET),
            "task of type my.task",
        ),
        (consumer.INVALID_TASK_ERROR, ("no mapping", SECRET), "Received invalid task message: no mapping"),
        (
            consumer.MESSAGE_DECODE_ERROR,
            ("bad JSON", "t", "e", SECRET, SECRET),
            "Can't decode message body: 'bad JSON'",
        ),
    ],
)
def test_a_message_that_celery_rejects_is_named_but_not_shown(
    form: str, template: str, args: tuple[str, ...], left: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(settings(log_format=form))
    consumer.logger.error(template, *args)
    said = capsys.readouterr().err
    assert left in said
    assert SECRET not in said
    assert said.count("\n") == 1


@pytest.mark.usefixtures("_as_before")
def test_a_lost_connection_is_one_line_of_celerys(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings())
    request = logging.getLogger("celery.worker.request")
    for tag in range(8):
        try:
            raise RecoverableConnectionError("connection already closed")
        except RecoverableConnectionError as exc:
            request.critical("Couldn't ack %r, reason:%r", tag, exc, exc_info=True)
    try:
        raise OSError("Server unexpectedly closed connection")
    except OSError as exc:
        logging.getLogger("celery.worker.loops").exception("Error cleaning up after event loop: %r", exc)
    first, second = capsys.readouterr().err.splitlines()
    assert "Couldn't ack 0, reason:RecoverableConnectionError" in first
    assert second.endswith(
        "Error cleaning up after event loop: OSError('Server unexpectedly closed connection')"
    )


@pytest.mark.usefixtures("_as_before")
def test_an_error_of_the_code_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings())
    for _ in range(2):
        try:
            raise KeyError("a mistake")
        except KeyError:
            logging.getLogger("celery.worker.request").exception("Task handler raised error")
    assert capsys.readouterr().err.count("Traceback") == 2
