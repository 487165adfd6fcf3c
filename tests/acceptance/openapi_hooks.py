"""What a JSON Schema cannot say about a call, said to Schemathesis: it makes the cases keep to it.

Only cases that are meant to be right are changed; how wrong ones are refused is asked as it was made.
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
    """Use no idempotency key or id twice, make up no cursor, and put the days of a report in order."""
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
