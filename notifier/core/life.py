"""The optional fields of a send: its time, its expiry, its category, and what it replaces.

They are checked here for HTTP, Python and tasks. Pure. See docs/contract.md#8-the-life-of-a-notification.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from notifier.core.categories import GENERAL, category
from notifier.core.checks import check_text
from notifier.core.errors import Problem
from notifier.core.events import EventType

#: The fields, with the same names in HTTP, Python and tasks.
FIELDS: Final = ("category", "deliver_at", "expires_at", "expires_in", "collapse_key")
MAX_AHEAD: Final = timedelta(days=400)
MAX_EXPIRES_IN: Final = 10 * 365 * 86_400  # seconds
MAX_COLLAPSE_KEY: Final = 128  # characters
RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Life:
    """The optional fields of one notification.

    Attributes:
        category: a defined category; None: `general`.
        deliver_at: when it is dispatched, in UTC; None: at once.
        expires_at: when it expires, in UTC.
        expires_in: the same, in seconds from `deliver_at` or from acceptance.
        collapse_key: of one user's entries with the same key and sender only the newest stays.
        given: the fields that were given, as plain JSON values.
    """

    category: str | None = None
    deliver_at: datetime | None = None
    expires_at: datetime | None = None
    expires_in: float | None = None
    collapse_key: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def plain(self) -> bool:
        """Whether no field is set."""
        return not self.given and self.category is None

    def expiry(self, present: datetime) -> datetime | None:
        """Return when it expires if it is accepted at `present`; None: never."""
        if self.expires_in is None:
            return self.expires_at
        begins = max(self.deliver_at, present) if self.deliver_at else present
        return begins + timedelta(seconds=self.expires_in)


PLAIN: Final = Life()
OF_ENTRIES: Final = ("expires_at", "expires_in", "collapse_key")  # fields that only inbox entries have


def check_life(kind: EventType, asked: Mapping[str, object], problems: list[Problem]) -> Life:
    """Return the fields `asked` as a Life; None counts as absent.

    Broken rules are added to `problems`.
    """
    asked = {name: value for name, value in asked.items() if value is not None}
    if not asked:
        return PLAIN if kind.category in (None, GENERAL) else Life(category=kind.category)
    checked: dict[str, Any] = {}
    for name, value in asked.items():
        try:
            checked[name] = _CHECKS[name](value)
        except ValueError as exc:
            problems.append({"loc": [name], "msg": str(exc)})
    if not kind.inbox:
        problems += [
            {"loc": [name], "msg": f"{kind.name} is not an inbox entry"}
            for name in OF_ENTRIES
            if name in asked
        ]
    if "expires_at" in asked and "expires_in" in asked:
        problems.append({"loc": ["expires_in"], "msg": "give one of expires_at and expires_in"})
    deliver_at, expires_at = checked.get("deliver_at"), checked.get("expires_at")
    if deliver_at and expires_at and expires_at <= deliver_at:
        problems.append({"loc": ["expires_at"], "msg": "must be after deliver_at"})
    given = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in checked.items()
    }
    belongs = checked.get("category", kind.category)
    return Life(
        None if belongs == GENERAL else belongs,
        deliver_at,
        expires_at,
        checked.get("expires_in"),
        checked.get("collapse_key"),
        given,
    )


def _category(value: object) -> str:
    if not isinstance(value, str) or category(value) is None:
        raise ValueError(f"no category {value!r} is defined")
    return value


def _moment(value: object) -> datetime:
    """Return a moment in UTC: an aware datetime, or RFC 3339 with an offset. Raises ValueError."""
    try:
        if isinstance(value, str) and RFC_3339.fullmatch(value):
            value = datetime.fromisoformat(value.upper())
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time with an offset, like 2026-11-27T09:00:00+01:00")


def _deliver_at(value: object) -> datetime:
    moment = _moment(value)
    if moment > datetime.now(UTC) + MAX_AHEAD:
        raise ValueError(f"must be at most {MAX_AHEAD.days} days ahead")
    return moment


def _expires_in(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a number of seconds")
    if not 0 < value <= MAX_EXPIRES_IN:
        raise ValueError(f"must be more than 0 and at most {MAX_EXPIRES_IN}")
    return value


def _collapse_key(value: object) -> str:
    return check_text(value, MAX_COLLAPSE_KEY)


_CHECKS: Mapping[str, Callable[[object], Any]] = {
    "category": _category,
    "deliver_at": _deliver_at,
    "expires_at": _moment,
    "expires_in": _expires_in,
    "collapse_key": _collapse_key,
}
