"""Rules of a call that a JSON Schema cannot express, for Schemathesis's cases.

Only cases that should be valid are changed; invalid ones are sent as generated.
"""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import schemathesis

MAX_KEY = 255
_numbers = itertools.count(1)


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
    case.query.pop("cursor", None)
    since, until = case.query.get("since"), case.query.get("until")
    if since and until and until < since:
        case.query |= {"since": until, "until": since}
