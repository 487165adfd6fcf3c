"""Reject messages of the broker that break a rule; none of them must stop a worker.

With Celery 5.7 itself a message can end its worker: an empty body, a task's name that is a list, a pickled
one of protocol 1 raise in the consumer (celery/worker/consumer/consumer.py, `create_task_handler`), and
with late acks the broker delivers the same message to the next worker. So messages are checked before Celery
handles them, and what still makes Celery fail is rejected too. Remote control, by which any client of the
broker could stop all workers, is limited to commands that only read.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
from celery.signals import task_rejected, task_unknown
from celery.worker.consumer import Consumer
from celery.worker.control import Panel

from notifier.signals import emit, message_rejected
from worker.compressed import compressed
from worker.far_tasks import keep_eta
from worker.reconnect import PatientConsumer

MAX_BODY = 16 * 1024 * 1024  # bytes; 10,000 user ids of 128 characters and 256 KiB of data fit
MAX_ID = 255  # characters
OURS = "notifier."
#: The encodings of JSON (kombu's and Celery's names); others name codecs that inflate, like `bz2`.
ENCODINGS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "binary"})
DELAYED = ":DelayedDelivery"

#: Commands of `celery inspect …`, except those that show the configuration.
COMMANDS = frozenset(
    {"ping", "clock", "active", "active_queues", "registered", "reserved", "scheduled", "stats"}
)

log = logging.getLogger(__name__)


class GuardedConsumer(PatientConsumer):
    """Celery's consumer, which a message cannot stop."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        """Celery's steps, without its queues for delayed tasks.

        With a quorum queue it would declare 28 more for them, at each broker of the list in turn, and
        wait for those that are down before the first task. Our delays are in SQL.
        """

        default_steps = tuple(step for step in Consumer.Blueprint.default_steps if DELAYED not in step)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Return the handler of each message."""
        handle = super().create_task_handler(*args, **kwargs)
        lost = (*self.connection_errors, *self.channel_errors)

        def on_task_received(message: Any) -> None:
            try:
                why = fault(message, self.app.tasks)
                if why is None:
                    keep_eta(message)
                    handle(message)
                    return
            except lost:
                raise
            except Exception as exc:  # noqa: BLE001  whatever somebody put there
                why = f"Celery: {type(exc).__name__}"  # its text may show the message
            log.error("message rejected: reason=%s type=%s bytes=%d",
                      why, message.content_type, len(message.body or b""))  # fmt: skip
            _rejected(self, message, why)
            if not message.acknowledged:
                message.reject_log_error(log, lost)

        return on_task_received


def fault(message: Any, tasks: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a message as one of our `tasks`; None: nothing.

    The headers are checked first, so that nothing is inflated or decoded for the check.
    """
    if compressed(message.headers):
        return "compressed"
    if str(message.content_type) != "application/json":
        return "not JSON by its type"
    if message.content_encoding is not None and str(message.content_encoding).lower() not in ENCODINGS:
        return "an encoding that is not UTF-8"
    raw = _raw(message.body)
    if len(raw) > MAX_BODY:
        return "too big"
    try:
        payload = orjson.loads(raw)
    except ValueError:
        return "not JSON"
    headers = message.headers
    if isinstance(headers, Mapping) and "task" in headers:
        if not isinstance(payload, list) or len(payload) != 3:
            return "not [args, kwargs, embed]"
        return _fault(tasks, headers, *payload)
    if isinstance(payload, dict) and "task" in payload:  # Celery's protocol 1
        return _fault(tasks, payload, payload.get("args", []), payload.get("kwargs", {}), {})
    return "no task"


def _fault(
    tasks: Mapping[str, Any], said: Mapping[str, Any], args: Any, kwargs: Any, embed: Any
) -> str | None:
    name, id = said["task"], said.get("id")
    if not isinstance(name, str) or not name.startswith(OURS) or name not in tasks:
        return "unknown task"
    if not isinstance(id, str) or not 0 < len(id) <= MAX_ID:
        return "no id"
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        return "args is not a list, or kwargs not an object"
    try:
        tasks[name].__header__(*args, **kwargs)  # the check that Celery does only at the producer
    except TypeError:
        return "arguments that the task does not take"
    if not isinstance(embed or {}, dict) or any((embed or {}).values()):
        return "callbacks, chains and chords are not for us"
    for field in ("callbacks", "errbacks", "chord", "taskset", "group", "stamped_headers"):
        if said.get(field):
            return f"{field} is not for us"
    retries = said.get("retries")
    if retries is not None and (type(retries) is not int or retries < 0):
        return "retries is not a number"
    limits = said.get("timelimit")
    if limits is not None and not (isinstance(limits, list | tuple) and len(limits) == 2 and not any(limits)):
        return "time limits are not for us"
    return next(
        (f"{field} is not a time" for field in ("eta", "expires") if not _is_time(said.get(field))), None
    )


def _raw(body: Any) -> bytes:
    """Return a message's unchanged body; the file broker delivers text."""
    return body.encode(errors="surrogatepass") if isinstance(body, str) else bytes(body or b"")


def _is_time(value: Any) -> bool:
    """Return whether `value` is None, or a time in ISO 8601 as Celery writes it."""
    if value is None:
        return True
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def listen() -> None:
    """Report messages that Celery rejects, and ignore remote commands that change something."""
    for refusal in (task_rejected, task_unknown):
        refusal.connect(_rejected_by_celery, weak=False)
    for name in set(Panel.data) - COMMANDS:
        del Panel.data[name]


def _rejected_by_celery(sender: object, message: Any, exc: Exception | None = None, **_: Any) -> None:
    _rejected(sender, message, f"Celery: {type(exc).__name__}" if exc else "Celery: no task")


def _rejected(sender: object, message: Any, why: str) -> None:
    emit(
        message_rejected,
        sender,
        what="task",
        reason=why,
        headers=message.headers,
        content_type=message.content_type,
        body=_raw(message.body),
    )
