"""The tasks: decode, store, publish.

docs/contract.md#4-python-api has their names and arguments. Arguments are input like any other: a task that
breaks a rule is rejected with one log line, and never tried again.
"""

import hashlib
import json
import logging
from datetime import UTC, datetime
from typing import Any

from celery import Task

from notifier.core.backoff import ceiling
from notifier.core.draft import MAX_KEY, UUID, draft
from notifier.core.errors import BrokerUnavailable, DatabaseUnavailable, InvalidInput
from notifier.core.life import FIELDS
from notifier.core.log_throttle import LogThrottle
from notifier.core.states import SCHEDULED
from notifier.outbox.types import now
from notifier.signals import emit, message_rejected
from notifier.wake import CHUNK, SEND, WOKEN_AT
from worker.app import BADGE, PURGE, SWEEP, app, runtime, settings
from worker.far_tasks import ETA, never_runs
from worker.runtime import REACH

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

#: The names with which a problem's place may begin; others are the producer's text, and not logged.
ARGUMENTS = frozenset({"user_id", "user_ids", "data", "event", "id", "expires", *FIELDS})
CHUNKS_FOR = 0.2  # seconds for which a task dispatches chunks; other tasks wait for it
# Seconds between attempts to store a by-name task while the database is away. It waits in the worker's
# memory, and with a quorum queue a worker gets no further tasks while such ones wait.
RETRY_MAX = 2 if settings.task_queue_type == "quorum" else 30


@app.task(name=SEND, bind=True, max_retries=None)
def send_notification(
    self: Task,
    user_id: Any = None,
    user_ids: Any = None,
    data: Any = None,
    event: Any = "alert",
    id: Any = None,
    *,
    category: Any = None,
    deliver_at: Any = None,
    expires_at: Any = None,
    expires_in: Any = None,
    collapse_key: Any = None,
    **unknown: Any,
) -> None:
    """Dispatch what waits; with `data`, accept that notification first.

    Any Celery producer may enqueue it by name, with `user_id` or `user_ids`, `data`, and optionally
    `event`, `id` and the fields of `notifier.core.life`. With `id` alone it is our own wake-up.
    """
    if data is None and user_id is None and user_ids is None:
        _drain(id, _woken_at(self))
        return
    given = {
        "user_id": user_id,
        "user_ids": user_ids,
        "data": data,
        "event": event,
        "id": id,
        "category": category,
        "deliver_at": deliver_at,
        "expires_at": expires_at,
        "expires_in": expires_in,
        "collapse_key": collapse_key,
    }
    _accept(self, given, unknown)


@app.task(name=BADGE, bind=True, max_retries=None)
def update_badge(
    self: Task, user_id: Any = None, type: Any = None, count: Any = None, id: Any = None, **unknown: Any
) -> None:
    """Set a badge of one user."""
    _accept(
        self,
        {"user_id": user_id, "data": {"type": type, "count": count}, "event": "badge", "id": id},
        unknown,
    )


@app.task(name=CHUNK, bind=True)
def dispatch_chunk(self: Task, id: str) -> None:
    """Dispatch chunks of the oldest bulk notification for a moment, and wake a worker for the next ones.

    `id` is that of the wake-up; earlier notifications go first. Each chunk is a transaction of its own, and
    single alerts are dispatched between two of them.
    """
    try:
        more = runtime.dispatcher.chunks(CHUNKS_FOR, _woken_at(self))
    except DatabaseUnavailable as exc:
        throttled.warning("chunk put off, the sweep will find it: notification=%s error=%s", _shown(id), exc)
        return
    if more:
        _wake(str(id))


@app.task(name=REACH)
def reach(**_: Any) -> None:
    """Look for rows of channels that are due; the threads of this process send them."""
    runtime.wake_reach()


@app.task(name=SWEEP)
def sweep(**_: Any) -> None:
    """Do nothing: each worker has a timer that sweeps. Beat of an earlier version enqueues this task."""


@app.task(name=PURGE)
def purge(**_: Any) -> None:
    """Do nothing, as `sweep`; workers of an earlier version enqueue it with `after`."""


def _accept(task: Task, given: dict[str, Any], unknown: dict[str, Any]) -> None:
    try:
        if unknown:
            raise InvalidInput(
                problems=[{"loc": [name], "msg": "unknown argument"} for name in sorted(unknown)]
            )
        # A redelivered task stores nothing new: the task's id is its idempotency key.
        accepted = runtime.sender.send(draft(**_when_due(task, given), key=_task_key(task)))
    except InvalidInput as exc:
        _reject(task, exc)
        log.error("task rejected: task=%s id=%s problems=%d in=%s",
                  _shown(task.request.id), _shown(given["id"]),
                  len(exc.problems), ",".join(_places(exc)))  # fmt: skip
        return
    except DatabaseUnavailable as exc:
        wait = round(ceiling(task.request.retries, 1, RETRY_MAX))
        throttled.warning("task put off %d s: task=%s error=%s", wait, _shown(task.request.id), exc)
        raise task.retry(exc=exc, countdown=wait) from None
    if not accepted.bulk and accepted.status != SCHEDULED:
        _drain(accepted.id, now())  # this task is its wake-up


def _when_due(task: Task, given: dict[str, Any]) -> dict[str, Any]:
    """Add the producer's `eta` or `countdown`, unless it is before `deliver_at`.

    Raises InvalidInput when the task would have expired by then.
    """
    if never_runs(task.request.get(ETA), task.request.expires):
        raise InvalidInput(problems=[{"loc": ["expires"], "msg": "is over at its eta: it would never run"}])
    eta, deliver_at = task.request.get(ETA), given.get("deliver_at")
    if eta is None or (deliver_at is not None and not _is_before(deliver_at, eta)):
        return given
    return {**given, "deliver_at": eta}


def _is_before(deliver_at: object, eta: str) -> bool:
    try:
        return datetime.fromisoformat(str(deliver_at)) < datetime.fromisoformat(eta)
    except (TypeError, ValueError):
        return False  # it is rejected for its own fault


def _shown(id: Any) -> str:
    """Return an id as the log shows it: a producer may write any text there, so only a UUID is shown."""
    return id if isinstance(id, str) and UUID.fullmatch(id.lower()) else "?"


def _places(error: InvalidInput) -> list[str]:
    """Return the arguments that break a rule, without unknown names of a producer."""
    firsts = {str(one["loc"][0]) if one["loc"] else "" for one in error.problems}
    return sorted({first if first in ARGUMENTS else "other" for first in firsts})


def _task_key(task: Task) -> str:
    """Return the idempotency key of a task's id; hash an id that is too long or unprintable."""
    key = f"task:{task.request.id}"
    if len(key) <= MAX_KEY and key.isprintable():
        return key
    return f"task:{hashlib.sha256(key.encode(errors='surrogatepass')).hexdigest()}"


def _reject(task: Task, error: InvalidInput) -> None:
    """Report a call that breaks a rule."""
    request = task.request
    call = [request.args, request.kwargs, {}]
    emit(
        message_rejected,
        task,
        what="task",
        reason="; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.problems),
        headers={"task": task.name, "id": request.id, "origin": request.origin},
        content_type="application/json",
        body=json.dumps(call, ensure_ascii=False, default=str).encode(errors="surrogatepass"),
    )


def _woken_at(task: Task) -> datetime | None:
    """Return when this wake-up was sent; None when that is missing or invalid."""
    milliseconds = task.request.get(WOKEN_AT)
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _drain(id: Any, woken_at: datetime | None) -> None:
    try:
        runtime.dispatcher.drain(woken_at)
    except DatabaseUnavailable as exc:
        throttled.warning(
            "dispatch put off, the sweep will find it: notification=%s error=%s", _shown(id), exc
        )


def _wake(id: str) -> None:
    try:
        runtime.wake(id, bulk=True)
    except (BrokerUnavailable, OSError, ConnectionError) as exc:
        throttled.warning("wake-up failed, the sweep will find it: notification=%s error=%s", _shown(id), exc)
