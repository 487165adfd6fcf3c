"""Tasks by name with an `eta` or a `countdown`: they are stored at once, and wait in SQL.

Celery alone keeps such a task in a worker's memory until its time: it is redelivered when the worker dies,
300 of them block everything behind them, and RabbitMQ closes the channel after 30 minutes without an ack.
So the time is moved to our own header before Celery handles it, and becomes `deliver_at`.
"""

from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

ETA: Final = "notifier_eta"  # the header
#: The delay of our own retries, which wait for the database.
OWN_RETRY: Final = timedelta(minutes=1)


def never_runs(eta: object, expires: object) -> bool:
    """Return whether Celery would discard a task at its `eta`, since it has expired by then.

    Once it is stored nothing of Celery's looks at `expires` any more.
    """
    try:
        return _moment(expires) <= _moment(eta)
    except (TypeError, ValueError):
        return False  # one of them is not given


def _moment(value: object) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def keep_eta(message: Any) -> None:
    """Move the time of a message that `worker.rejections.fault` accepted to our header."""
    headers = message.headers
    if isinstance(headers, MutableMapping) and "task" in headers:
        _move(headers)
        return
    said = orjson.loads(message.body)  # Celery's protocol 1 has it in the body
    if _move(said):
        body = orjson.dumps(said)
        message.body = body.decode() if isinstance(message.body, str) else body


def _move(said: MutableMapping[str, Any]) -> bool:
    if said.get("eta") is None:
        return False
    eta = _moment(said["eta"])
    if said.get("retries") and eta < datetime.now(UTC) + OWN_RETRY:
        return False
    said[ETA], said["eta"] = eta.isoformat(), None
    return True
