"""Decide about a due row of a channel: send, skip or postpone. Pure."""

from dataclasses import dataclass
from datetime import datetime, time

from models.store.reach_claim import Later
from notifier.core.digest import FREQUENCIES, next_digest
from notifier.core.log import Why
from notifier.core.policy import OFF, channel_value, quiet_until, zone_of
from notifier.core.reach import QUIET, Skipped
from notifier.core.states import CANCELED, EXPIRED, RETRACTED
from notifier.outbox.types import AnyRow
from notifier.settings import Settings


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that channels use."""

    digest_at: time
    zone: str
    max_attempts: int
    retry_base: float
    retry_max: float
    retry_unknown: bool

    @classmethod
    def from_settings(cls, settings: Settings) -> "Rules":
        """Return an instance made from the settings."""
        hour, minute = map(int, settings.digest_at.split(":"))
        return cls(
            time(hour, minute),
            settings.timezone,
            settings.max_attempts,
            settings.retry_base,
            settings.retry_max,
            settings.unknown == "retry",
        )


@dataclass(frozen=True, slots=True)
class Send:
    """A row is to be sent now."""


Decision = Send | Skipped | Later


def decide(row: AnyRow, *, present: datetime, rules: Rules) -> Decision:
    """Return the decision about a due row. Pure.

    Args:
        row: as `models.store.reach.due` returns it.
        present: the database's.
        rules: the settings.
    """
    if (why := _unwanted(row, present)) is not None:
        return why
    value = channel_value(row.preferences, row.category, row.channel, required=row.required)
    if value == OFF:
        return Skipped.OFF
    zone = zone_of(row.preferences, row.timezone, rules.zone)
    if row.attempts == 0:
        if row.due_at > present:  # decided again before its time: something has changed
            due = row.due_at
            if row.digest is not None and value in FREQUENCIES:
                due = next_digest(value, present, zone, rules.digest_at)
            elif row.digest is not None:
                due = present
            return Later(due, due, value if value in FREQUENCIES and row.digest is not None else None)
        if value in FREQUENCIES and row.digest != value:
            # From when it was due, so that a digest that was missed while no worker lived goes out now.
            after = present if row.digest is not None else row.due_at
            due = next_digest(value, after, zone, rules.digest_at)
            return Later(due, due, value)
        if value not in FREQUENCIES and row.digest is not None:
            return Later(present, present)
    if not row.required:
        until = quiet_until(row.preferences, zone, present)
        if until is not None:
            return Later(row.due_at, until, row.digest, QUIET)
    return Send()


def _unwanted(row: AnyRow, present: datetime) -> Skipped | None:
    if row.seq is None:
        return Skipped.ERASED
    if row.status in (RETRACTED, CANCELED):
        return Skipped.RETRACTED
    if row.status == EXPIRED or (row.expires_at is not None and row.expires_at <= present):
        return Skipped.EXPIRED
    if row.address is None or row.off_at is not None:
        return Skipped.OFF
    if row.hidden == Why.COLLAPSED:
        return Skipped.COLLAPSED  # the one that took its place has rows of its own
    if row.unless is not None or row.digest is not None:
        if row.read_at is not None:
            return Skipped.READ
        if row.hidden == Why.SNOOZED and row.until > present:
            return Skipped.SNOOZED  # who snoozed it has looked at it
    if row.seen and row.unless == "seen":
        return Skipped.SEEN
    return None
