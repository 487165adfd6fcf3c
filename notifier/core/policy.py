"""The policy: whether a user gets a category on a channel. The only place that decides it. Pure.

required, the user's value for the category and channel, the user's for the channel, the category's, built in.
See docs/contract.md#9-people-categories-preferences.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from notifier.core import quiet_hours
from notifier.core.categories import EMAIL, INBOX, PUSH, Category, allowed_values, category, channels_of

__all__ = [
    "OFF", "Choice", "Source", "channel_value", "choose", "known_channels", "quiet_until", "switched_off",
    "zone_of",
]  # fmt: skip

ON, OFF, INSTANT = "on", "off", "instant"

#: What is stored of somebody: `categories` {category: {channel: {value, at}}}, `channels` {channel: {value,
#: at}}, `quiet_hours` and `paused_until` {value, at}; `at` in milliseconds.
Stored = Mapping[str, Any]


class Source(StrEnum):
    """The rule that a value comes from."""

    REQUIRED = "required"
    USER = "user"
    CHANNEL = "channel"
    CATEGORY = "category"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Choice:
    """A value, and what it comes from.

    Attributes:
        value: `on` or `off`; for email `off`, `instant`, `hourly`, `daily` or `weekly`.
        source: which rule decided.
        since: when the user said so, in milliseconds; None: the user did not.
    """

    value: str
    source: Source
    since: int | None = None


def choose(kind: Category, channel: str, preferences: Stored | None) -> Choice:
    """Return the effective value of a category's channel, which must be one that the category offers."""
    built_in = INSTANT if channel == EMAIL else ON
    if kind.required:
        return Choice(built_in, Source.REQUIRED)
    given = preferences or {}
    own = given.get("categories", {}).get(kind.name, {}).get(channel)
    if own is not None and own["value"] in allowed_values(channel):
        return Choice(own["value"], Source.USER, own["at"])
    whole = given.get("channels", {}).get(channel)
    if whole is not None and whole["value"] in allowed_values(channel):
        return Choice(whole["value"], Source.CHANNEL, whole["at"])
    if channel in kind.defaults:
        return Choice(kind.defaults[channel], Source.CATEGORY)
    return Choice(built_in, Source.DEFAULT)


def switched_off(kind: Category, preferences: Stored | None) -> Choice | None:
    """Return why the inbox does not get a category's notifications; None: it does."""
    if preferences is None and not kind.defaults:
        return None
    choice = choose(kind, INBOX, preferences)
    return choice if choice.value == OFF else None


def channel_value(preferences: Stored | None, name: str, channel: str, *, required: bool = False) -> str:
    """Return the value with which a channel is asked for a category; OFF: it is not asked.

    Args:
        preferences: what is stored of the user; None: nothing.
        name: the category; one that nobody defines any more counts as `general` with this name.
        channel: not `inbox`; the category was defined with it when the row was written.
        required: whether the category was required then.
    """
    kind = category(name) or Category(name, name)
    if required or kind.required:
        return INSTANT if channel == EMAIL else ON
    if switched_off(kind, preferences) is not None:
        return OFF
    return choose(kind, channel, preferences).value


def known_channels(kinds: Iterable[Category]) -> tuple[str, ...]:
    """Return the channels that a preference may name: the built-in ones, and all that categories offer."""
    return tuple(dict.fromkeys([INBOX, EMAIL, PUSH, *(c for kind in kinds for c in channels_of(kind))]))


def zone_of(preferences: Stored | None, timezone: str | None, default: str) -> ZoneInfo:
    """Return the time zone of a user: the recipient's, else the installation's."""
    del preferences  # quiet hours with a zone of their own use it by themselves
    return quiet_hours.zone_named(timezone, default)


def quiet_until(preferences: Stored | None, zone: ZoneInfo, present: datetime) -> datetime | None:
    """Return the end of a user's present quiet time; None: it is not quiet at `present`."""
    if not preferences:
        return None
    hours, paused = preferences.get("quiet_hours"), preferences.get("paused_until")
    return quiet_hours.quiet_end(
        quiet_hours.parse(hours["value"]) if hours else None,
        datetime.fromtimestamp(paused["value"] / 1_000, UTC) if paused else None,
        zone,
        present,
    )
