"""Rules of a call that a JSON Schema cannot express, for Schemathesis's cases.

Only cases that should be valid are changed; invalid ones are sent as generated.
"""

from __future__ import annotations

import itertools
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import schemathesis

MAX_KEY = 255
# The example of RFC 8291: its public key is a point of the curve.
SUBSCRIPTION = {
    "endpoint": "https://fcm.googleapis.com/fcm/send/example",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}
# Values that rules beyond a schema ask for: a known zone, one mailbox, a time within 400 days, the event's data.
VALID: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/api/notifications/{id}"): {"data": {"title": "t", "message": "m", "type": "info"}},
    ("PATCH", "/api/preferences"): {
        "categories": None, "channels": None, "timezone": "UTC", "quiet_hours": {"from": "22:00", "to": "07:00"},
        "paused_until": None,
    },
    ("PUT", "/api/recipients"): {"email": None, "locale": "en", "timezone": "UTC", "name": "N", "addresses": None},
    ("POST", "/api/push/subscriptions"): SUBSCRIPTION,
}  # fmt: skip
_numbers = itertools.count(1)


def ahead(seconds: float) -> str:
    """Return the time in so many seconds."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Give each call a new idempotency key and id, remove invented cursors, and sort the days of a report."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if key := case.headers.get("Idempotency-Key"):
        number = str(next(_numbers))
        case.headers["Idempotency-Key"] = key[: MAX_KEY - len(number)] + number
    if isinstance(case.body, dict) and case.body.get("id"):
        case.body["id"] = str(uuid.uuid4())
    if isinstance(case.body, dict):
        valid = dict(VALID.get((case.method, case.path), {}))
        if case.path == "/api/inbox/snooze":
            valid["until"] = int((time.time() + 3600) * 1000)
        if case.path == "/api/notifications":
            times = {"deliver_at": ahead(3_600), "expires_at": ahead(7_200)}
            valid |= {name: time for name, time in times.items() if case.body.get(name)}
        case.body |= {name: value for name, value in valid.items() if name in case.body}
    case.query.pop("cursor", None)
    since, until = case.query.get("since"), case.query.get("until")
    if since and until and until < since:
        case.query |= {"since": until, "until": since}
