"""Checks of input that every way in shares: ids, texts, addresses, audiences, fields.

Pure. What breaks a rule raises ValueError inside a model, and InvalidInput elsewhere.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import (
    ValidationError,
)

from notifier.core.errors import InvalidInput, Problem

MAX_USER_ID = 128  # characters
MAX_RECIPIENTS = 10_000
MAX_FIELDS = 256  # of an object with known fields; more are refused without a check of each
MAX_LISTED = 1_000  # broken rules that are listed one by one: pydantic takes 6 µs for each


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs")


def check_url(url: str) -> str:
    """Return `url` if a browser may follow it: absolute http(s), or a path on the same site.

    Browsers strip tabs and newlines and read a backslash as a slash (WHATWG URL, section 4.4), so
    control characters, spaces and backslashes are refused anywhere in it. Raises ValueError.
    """
    if any(_is_control(c) or c.isspace() or c == "\\" for c in url):
        raise ValueError("must not contain white space, control characters or backslashes")
    if url.startswith("/"):
        if url.startswith("//"):
            raise ValueError("must begin with a single '/'")
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    else:
        if parts.scheme not in ("http", "https") or not url[len(parts.scheme) :].startswith("://"):
            host = None
    if not host:
        raise ValueError("must be an absolute http or https URL, or a path that begins with one '/'")
    return url


#: Characters that show nothing: white space, control characters, Unicode's Default_Ignorable_Code_Point (UCD,
#: DerivedCoreProperties), the annotation marks and the empty Braille cell.
_INVISIBLE = (
    r"\s\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)


_VISIBLE = re.compile(f"[^{_INVISIBLE}]")


def check_visible(text: str) -> str:
    """Return `text` if it has a visible character. Raises ValueError."""
    if not _VISIBLE.search(text):
        raise ValueError("must have a visible character")
    return text


def check_image(url: str) -> str:
    """Return `url` if a page on https may show it: absolute https, or a path on the same site.

    Raises ValueError.
    """
    if not check_url(url).startswith("/") and not url[:6].lower() == "https:":
        raise ValueError("must be an absolute https URL, or a path that begins with one '/'")
    return url


def check_user_id(user_id: object, *loc: str | int) -> str:
    """Return `user_id` if it is one: 1-128 characters, none of them a control character.

    Raises InvalidInput, with `loc` as the place.
    """
    try:
        return check_text(user_id, MAX_USER_ID)
    except ValueError as exc:
        raise InvalidInput(problems=[{"loc": list(loc) or ["user_id"], "msg": str(exc)}]) from None


def check_text(text: object, max_length: int) -> str:
    """Return `text` if it is one of 1 to `max_length` characters, none of them a control character.

    Raises ValueError.
    """
    if not isinstance(text, str):
        raise ValueError("must be a string")  # noqa: TRY004 - input, not a call
    if not 1 <= len(text) <= max_length:
        raise ValueError(f"must have 1 to {max_length} characters")
    # What is printable has none; to look at each character takes 30 times as long.
    if not text.isprintable() and any(map(_is_control, text)):
        raise ValueError("must not contain control characters")
    return text


def check_audience(user_ids: Iterable[object]) -> list[str]:
    """Return the recipients, each once, in the order given. Raises InvalidInput."""
    given = list(user_ids)
    if not 1 <= len(given) <= MAX_RECIPIENTS:
        raise InvalidInput(
            problems=[
                {"loc": ["user_ids"], "msg": f"must have 1 to {MAX_RECIPIENTS} entries, has {len(given)}"}
            ]
        )
    return list(dict.fromkeys(check_user_id(u, "user_ids", i) for i, u in enumerate(given)))


def check_fields(data: Mapping[Any, Any], *loc: str | int) -> None:
    """Raise InvalidInput when `data` has more fields than any of our schemas: each would be an error."""
    if len(data) > MAX_FIELDS:
        raise InvalidInput(
            problems=[{"loc": list(loc), "msg": f"must have at most {MAX_FIELDS} fields, has {len(data)}"}]
        )


def problems_of(exc: ValidationError, *prefix: str | int) -> list[Problem]:
    """Return pydantic's errors in the form of problem+json, without the input's values.

    Beyond a limit they are only counted, because listing them would block the process.
    """
    if exc.error_count() > MAX_LISTED:
        return [{"loc": list(prefix), "msg": f"breaks {exc.error_count()} rules"}]
    return [
        {"loc": [*prefix, *e["loc"]], "msg": e["msg"].removeprefix("Value error, ")}
        for e in exc.errors(include_url=False, include_input=False, include_context=False)
    ]
