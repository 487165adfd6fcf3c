"""Drafts of notifications that are sent together: the data of all of one event is checked at once. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from notifier.core.checks import MAX_FIELDS
from notifier.core.draft import Draft, draft
from notifier.core.errors import InvalidInput
from notifier.core.events import event_type


def drafts(given: Sequence[Mapping[str, Any]], *, sender: str) -> list[Draft | InvalidInput]:
    """Return a draft of each call's input, or the error that `draft` raises for it.

    Args:
        given: what `draft` takes, for each; data other than a dictionary is checked alone.
        sender: who sends them all.
    """
    plain = _plain(given)
    return [_draft(one, sender, plain.get(place)) for place, one in enumerate(given)]


def _plain(given: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return the data that keeps the rules of its event, by its place; the rest is checked alone."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(given):
        event, data = one.get("event", "alert"), one.get("data")
        if type(event) is str and type(data) is dict and len(data) <= MAX_FIELDS:
            places.setdefault(event, []).append(place)
    plain: dict[int, dict[str, Any]] = {}
    for event, some in places.items():
        try:
            checked = event_type(event).validate_all([given[place]["data"] for place in some])
        except InvalidInput:
            continue
        plain.update(zip(some, checked or (), strict=False))
    return plain


def _draft(given: Mapping[str, Any], sender: str, plain: dict[str, Any] | None) -> Draft | InvalidInput:
    try:
        return draft(**given, sender=sender, plain=plain)
    except InvalidInput as exc:
        return exc
