"""A user's preferences: check a change, compute what is stored, and build the answer. Pure.

Unset never overwrites: only what a change names is touched, and null takes a value away. Each value that is
stored has its time. The order in which values decide is in `notifier.core.policy`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from notifier.core import quiet_hours
from notifier.core.categories import Category, allowed_values, channels_of
from notifier.core.errors import InvalidInput, Problem
from notifier.core.policy import Stored, choose, known_channels
from notifier.core.recipients import check_timezone

FIELDS: Final = ("categories", "channels", "quiet_hours", "paused_until", "timezone")
MAX_PAUSE: Final = timedelta(days=400)
MAX_NAMES = 200  # categories in one change


def check_change(
    change: Mapping[str, Any], kinds: Mapping[str, Category], *, now: datetime
) -> dict[str, Any]:
    """Return a change of preferences in which all names and values are known.

    Args:
        change: some of FIELDS, as JSON has them.
        kinds: the categories, by name.
        now: the present.

    Raises:
        InvalidInput: it names every problem at once; nothing is to be changed then.
    """
    problems: list[Problem] = []
    checked = dict(change)
    channels = known_channels(kinds.values())
    for name, values in _mapping(change, "categories", problems).items():
        kind = kinds.get(name)
        if kind is None:
            problems.append({"loc": ["categories", name[:64]], "msg": "no such category is defined"})
        elif not isinstance(values, Mapping):
            problems.append({"loc": ["categories", name], "msg": "must be a mapping of channels to values"})
        else:
            offered = channels_of(kind)
            problems += _wrong(["categories", name], values, offered, "not a channel of this category")
            if kind.required and any(value is not None for value in values.values()):
                problems.append({"loc": ["categories", name], "msg": "this category is required"})
    values = _mapping(change, "channels", problems)
    problems += _wrong(["channels"], values, channels, "no such channel")
    for field, check in (("quiet_hours", _hours), ("timezone", check_timezone)):
        if change.get(field) is not None:
            try:
                checked[field] = check(change[field])
            except ValueError as exc:
                problems.append({"loc": [field], "msg": str(exc)})
    if change.get("paused_until") is not None:
        problems += _paused(change["paused_until"], now)
    if problems:
        raise InvalidInput(problems=problems[:20])
    return checked


def _mapping(change: Mapping[str, Any], field: str, problems: list[Problem]) -> Mapping[str, Any]:
    value = change.get(field)
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_NAMES:
        problems.append({"loc": [field], "msg": f"must be a mapping with at most {MAX_NAMES} names"})
        return {}
    return value


def _wrong(
    loc: list[str | int], values: Mapping[str, Any], known: Iterable[str], unknown: str
) -> list[Problem]:
    problems: list[Problem] = []
    for channel, value in values.items():
        where = [*loc, channel[:64]]
        if channel not in known:
            problems.append({"loc": where, "msg": unknown})
        elif value is not None and value not in allowed_values(channel):
            problems.append({"loc": where, "msg": f"must be {', '.join(allowed_values(channel))} or null"})
    return problems


def _hours(value: Any) -> dict[str, Any]:
    return quiet_hours.as_json(quiet_hours.parse(value))


def _paused(value: object, now: datetime) -> list[Problem]:
    latest = (now + MAX_PAUSE).timestamp() * 1_000
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= latest:
        return []
    msg = f"must be milliseconds since 1970 UTC, at most {MAX_PAUSE.days} days ahead"
    return [{"loc": ["paused_until"], "msg": msg}]


def changed(stored: Stored | None, change: Mapping[str, Any], *, at: int) -> dict[str, Any] | None:
    """Return the document to store after a checked change at `at` (milliseconds); None: none."""
    after: dict[str, Any] = {**(stored or {})}
    for name, values in (change.get("categories") or {}).items():
        own = {**after.get("categories", {})}
        own[name] = _merged(own.get(name, {}), values, at)
        after["categories"] = {category: kept for category, kept in own.items() if kept}
    if change.get("channels"):
        after["channels"] = _merged(after.get("channels", {}), change["channels"], at)
    single = {field: change[field] for field in ("quiet_hours", "paused_until") if field in change}
    after = _merged(after, single, at)
    return {field: kept for field, kept in after.items() if kept} or None


def _merged(before: Mapping[str, Any], values: Mapping[str, Any], at: int) -> dict[str, Any]:
    merged = dict(before)
    for name, value in values.items():
        if value is None:
            merged.pop(name, None)
        elif merged.get(name, {}).get("value") != value:  # said again, it holds since it was said first
            merged[name] = {"value": value, "at": at}
    return merged


def told(kinds: Iterable[Category], stored: Stored | None, timezone: str | None) -> dict[str, Any]:
    """Return the body of `GET /api/preferences`."""
    kinds, given = list(kinds), stored or {}
    values = given.get("channels", {})
    return {
        "categories": [
            {
                "name": kind.name,
                "title": kind.title,
                "description": kind.description,
                "required": kind.required,
                "channels": {
                    channel: {"value": choice.value, "from": choice.source.value}
                    for channel in channels_of(kind)
                    for choice in [choose(kind, channel, stored)]
                },
            }
            for kind in kinds
        ],
        "channels": {channel: values.get(channel, {}).get("value") for channel in known_channels(kinds)},
        "quiet_hours": given.get("quiet_hours", {}).get("value"),
        "paused_until": given.get("paused_until", {}).get("value"),
        "timezone": timezone,
    }
