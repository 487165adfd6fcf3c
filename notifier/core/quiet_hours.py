"""Quiet hours and pauses: whether it is quiet for a user at a moment, and until when. Pure.

Times are those of a wall clock in a zone (`notifier.core.wall_clock`).
See docs/contract.md#9-people-categories-preferences.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from notifier.core.recipients import check_timezone
from notifier.core.wall_clock import instant

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
UTC_ZONE: Final = ZoneInfo("UTC")
MAX_SPANS = 30  # quiet spans that follow each other without a break are one, up to here
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A span of every day, or of some.

    Attributes:
        begin, end: on the wall clock; an `end` that is not after `begin` is on the next day.
        days: on which it begins; empty: on every day.
        timezone: an IANA zone; None: the recipient's.
    """

    begin: time
    end: time
    days: tuple[str, ...] = ()
    timezone: str | None = None

    def spans(self, near: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """Yield the spans (begin, end) in UTC, in order, starting with the day before `near`."""
        first = near.astimezone(zone).date() - 2 * DAY
        for number in range(MAX_SPANS + 3):
            day = first + number * DAY
            if self.days and DAYS[day.weekday()] not in self.days:
                continue
            until = day if self.end > self.begin else day + DAY
            span = (
                instant(datetime.combine(day, self.begin), zone),
                instant(datetime.combine(until, self.end), zone),
            )
            if span[0] < span[1]:
                yield span


def parse(value: object) -> QuietHours:
    """Parse {`from`, `to`, `days`, `timezone`}. Raises ValueError."""
    if not isinstance(value, Mapping) or not {"from", "to"} <= value.keys() <= {
        "from",
        "to",
        "days",
        "timezone",
    }:
        raise ValueError("must have from and to, may have days and timezone")
    clocks = [value["from"], value["to"]]
    if not all(isinstance(clock, str) and CLOCK.fullmatch(clock) for clock in clocks):
        raise ValueError("from and to must be times like 22:00")
    days = value.get("days")
    if days is not None and (
        not isinstance(days, list | tuple) or not days or not all(day in DAYS for day in days)
    ):
        raise ValueError(f"days must be some of {', '.join(DAYS)}")
    if clocks[0] == clocks[1]:
        raise ValueError("from and to must differ")
    zone = value.get("timezone")
    begin, end = (time.fromisoformat(clock) for clock in clocks)
    ordered = tuple(day for day in DAYS if day in (days or ()))
    return QuietHours(begin, end, ordered, None if zone is None else check_timezone(zone))


def as_json(hours: QuietHours) -> dict[str, Any]:
    """Return quiet hours in the form in which they were given."""
    plain: dict[str, Any] = {"from": f"{hours.begin:%H:%M}", "to": f"{hours.end:%H:%M}"}
    if hours.days:
        plain["days"] = list(hours.days)
    return plain if hours.timezone is None else {**plain, "timezone": hours.timezone}


def zone_named(*names: str | None) -> ZoneInfo:
    """Return the first of these zones that is set and known, else UTC."""
    for name in names:
        if name is not None:
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, OSError, ValueError):
                continue  # of another version of tzdata
    return UTC_ZONE


def quiet_end(
    hours: QuietHours | None, paused_until: datetime | None, zone: ZoneInfo, present: datetime
) -> datetime | None:
    """Return when it is no longer quiet; None: it is not quiet at `present`.

    Args:
        hours: the quiet hours.
        paused_until: until when all is paused.
        zone: of the quiet hours that name none.
        present: the moment, aware.
    """
    end = present
    if paused_until is not None and paused_until > present:
        end = paused_until
    if hours is not None:
        own = zone_named(hours.timezone) if hours.timezone else zone
        begun = datetime.max.replace(tzinfo=UTC)
        while begun != end:  # a pause may end within quiet hours, and these with others
            begun = end
            for begin, until in hours.spans(end, own):
                if begin > end:
                    break
                end = max(end, until)
            if end - present > MAX_SPANS * DAY:
                break
    return end.astimezone(UTC) if end > present else None
