"""Check a recipient's profile (all data besides the id), for every way in. Pure.

See docs/contract.md#9-people-categories-preferences.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from notifier.core.categories import NAME as CHANNEL
from notifier.core.errors import InvalidInput, Problem

#: The profile's fields that are plain text; `addresses` is the other one.
FIELDS: Final = ("email", "name", "locale", "timezone")
MAX_EMAIL, MAX_NAME, MAX_ADDRESS = 254, 200, 2_000  # characters
MAX_ADDRESSES = 20
EMAIL, PUSH = "email", "push"
LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-[A-Za-z0-9]{5,8})*")
ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# RFC 5321, section 4.1.2: no quotes, no comments; an international domain as xn--.
LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def check_profile(fields: Mapping[str, object]) -> dict[str, Any]:
    """Return the fields of a profile, checked; None unsets one, and one that is not there stays.

    Args:
        fields: some of `email`, `name`, `locale`, `timezone`, and `addresses`: channel -> address or None.

    Raises:
        InvalidInput: it names every problem at once.
    """
    problems: list[Problem] = []
    checked: dict[str, Any] = {}
    for field, value in fields.items():
        if field == "addresses":
            checked[field] = _addresses(value, problems)
            continue
        try:
            checked[field] = None if value is None else _CHECKS[field](value)
        except ValueError as exc:
            problems.append({"loc": [field], "msg": str(exc)})
    if problems:
        raise InvalidInput(problems=problems)
    return checked


def check_email(value: object) -> str:
    """Return `value` if it is exactly one mailbox: a local part, `@`, a domain. Raises ValueError."""
    text = _text(value, MAX_EMAIL)
    local, _, domain = text.rpartition("@")
    if len(local) > 64 or not LOCAL.fullmatch(local) or not all(map(LABEL.fullmatch, domain.split("."))):
        raise ValueError("must be one mailbox, like ann@shop.example")
    return text


def check_timezone(value: object) -> str:
    """Return `value` if it is the name of an IANA zone. Raises ValueError."""
    text = _text(value, 64)
    try:
        if ZONE.fullmatch(text):
            ZoneInfo(text)
            return text
    except (
        OSError,
        ValueError,
        KeyError,
    ):  # a folder of zones is an OSError; ZoneInfoNotFoundError is a KeyError
        pass
    raise ValueError("must be an IANA time zone, like Europe/Berlin")


def check_locale(value: object) -> str:
    """Return `value` if it has the form of a language tag (BCP 47). Raises ValueError."""
    text = _text(value, 35)
    if not LOCALE.fullmatch(text):
        raise ValueError("must be a language tag, like de or pt-BR")
    return text


def _name(value: object) -> str:
    text = _text(value, MAX_NAME)
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _text(value: object, most: int) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - input, not a call
    if not 1 <= len(value) <= most:
        raise ValueError(f"must have 1 to {most} characters")
    if CONTROLS.search(value):
        raise ValueError("must not contain control characters")
    return value


def _addresses(value: object, problems: list[Problem]) -> dict[str, str | None]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_ADDRESSES:
        problems.append({"loc": ["addresses"], "msg": f"must be a mapping of {MAX_ADDRESSES} at most"})
        return {}
    found: dict[str, str | None] = {}
    for channel, address in value.items():
        msg = ""
        if not isinstance(channel, str) or not CHANNEL.fullmatch(channel) or channel == "inbox":
            msg = "is not a channel's name"
        elif channel in (EMAIL, PUSH):
            msg = "give email as a field of its own" if channel == EMAIL else "browsers register themselves"
        else:
            try:
                found[channel] = None if address is None else _text(address, MAX_ADDRESS)
            except ValueError as exc:
                msg = str(exc)
        if msg:
            problems.append({"loc": ["addresses", str(channel)[:64]], "msg": msg})
    return found


_CHECKS: Final[Mapping[str, Callable[[object], str]]] = {
    "email": check_email,
    "name": _name,
    "locale": check_locale,
    "timezone": check_timezone,
}
