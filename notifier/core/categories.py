"""The categories of notifications, and the channels by which each reaches people.

`define_category` registers one. `general` is always there. Pure.
See docs/contract.md#9-people-categories-preferences.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

GENERAL = "general"
INBOX, EMAIL, PUSH = "inbox", "email", "push"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
DURATION = re.compile(r"(\d{1,6})([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_TITLE, MAX_DESCRIPTION = 80, 400  # characters


@dataclass(frozen=True, slots=True)
class Reach:
    """When a channel is used for a notification.

    Attributes:
        after: how long after its arrival: `90s`, `10m`, `2h`, `1d`.
        unless: not if it has been `read`, or `seen`, by then; None: in any case.
    """

    after: str = "0s"
    unless: Literal["read", "seen"] | None = None

    def __post_init__(self) -> None:
        if not DURATION.fullmatch(self.after):
            raise ValueError(f"after: {self.after!r} must be a number and s, m, h or d, like 10m")
        if self.unless not in (None, "read", "seen"):
            raise ValueError(f"unless: {self.unless!r} must be read or seen")

    @property
    def seconds(self) -> int:
        """`after` in seconds."""
        number, unit = self.after[:-1], self.after[-1]
        return int(number) * SECONDS[unit]


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of notification that people can have preferences for.

    Attributes:
        name: the name that senders use.
        title, description: shown to people.
        required: whether it cannot be switched off.
        reach: the channels in addition to the inbox.
        defaults: channel -> its value where the user has none; else it is on.
    """

    name: str
    title: str
    description: str = ""
    required: bool = False
    reach: Mapping[str, Reach] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a category name: [a-z][a-z0-9_-]{{0,63}}")
        if not 1 <= len(self.title) <= MAX_TITLE or len(self.description) > MAX_DESCRIPTION:
            raise ValueError(
                f"category {self.name!r}: a title has 1 to {MAX_TITLE} characters, "
                f"a description {MAX_DESCRIPTION} at most"
            )
        for channel in self.reach:
            if channel == INBOX or not NAME.fullmatch(channel):
                raise ValueError(f"category {self.name!r}: {channel!r} is not a channel")
        for channel, value in self.defaults.items():
            if channel not in channels_of(self) or value not in allowed_values(channel):
                raise ValueError(f"category {self.name!r}: {channel!r} cannot be {value!r} by default")
        if self.required and self.defaults:
            raise ValueError(f"category {self.name!r}: a required one has no defaults")


def channels_of(category: Category) -> tuple[str, ...]:
    """Return the channels that a category offers: `inbox`, and those of its reach."""
    return INBOX, *category.reach


def allowed_values(channel: str) -> tuple[str, ...]:
    """Return the values that a preference for a channel may have."""
    return ("off", "instant", "hourly", "daily", "weekly") if channel == EMAIL else ("on", "off")


_categories: dict[str, Category] = {GENERAL: Category(GENERAL, "General")}


def define_category(
    name: str,
    *,
    title: str | None = None,
    description: str = "",
    required: bool = False,
    reach: Mapping[str, Reach] | None = None,
    defaults: Mapping[str, str] | None = None,
) -> Category:
    """Register a category; `general` may get another title and description.

    Args:
        name: ``[a-z][a-z0-9_-]{0,63}``; unique.
        title: for people; by default the name with a capital letter.
        description: for people.
        required: whether it cannot be switched off.
        reach: channel -> when it is used.
        defaults: channel -> its value where the user has none, like ``{"email": "daily"}``.

    Raises:
        ValueError: a rule is broken, or the name is taken by another category.
    """
    title = name.replace("-", " ").replace("_", " ").capitalize() if title is None else title
    category = Category(name, title, description, required, dict(reach or {}), dict(defaults or {}))
    if _categories.get(name, category) != category and name != GENERAL:
        raise ValueError(f"category {name!r} is already defined differently")
    _categories[name] = category
    return category


def replace_categories(before: Mapping[str, Category], after: Mapping[str, Category]) -> None:
    """Remove what a file defined before, and register what it defines now."""
    for name in before:
        _categories.pop(name, None)
    _categories.setdefault(GENERAL, Category(GENERAL, "General"))
    _categories.update(after)


def category(name: str) -> Category | None:
    """Return the category of that name; None: nobody has defined it."""
    return _categories.get(name)


def categories() -> tuple[Category, ...]:
    """Return every category."""
    return tuple(_categories.values())
