"""When a digest goes out: the next hour, morning or Monday in the recipient's time zone. Pure."""

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from notifier.core.wall_clock import instant

HOURLY: Final = "hourly"
DAILY: Final = "daily"
WEEKLY: Final = "weekly"
FREQUENCIES: Final = frozenset({HOURLY, DAILY, WEEKLY})
MONDAY: Final = 0


def next_digest(frequency: str, after: datetime, zone: ZoneInfo, at: time) -> datetime:
    """Return the first time for a digest that is later than `after`, in UTC.

    A time that a clock passes over in spring is the first moment after the gap; one that comes twice in
    autumn is the first of the two. An hour is a full hour on the zone's clock.

    Args:
        frequency: `hourly`, `daily` or `weekly`.
        after: a moment, aware.
        zone: the recipient's.
        at: the time of day for `daily` and `weekly`.
    """
    if frequency == HOURLY:
        return _next_hour(after, zone)
    day = after.astimezone(zone).date()
    for ahead in range(9):  # a week, and a day that a change of the zone's offset may cost
        wanted = day + timedelta(days=ahead)
        if frequency == DAILY or wanted.weekday() == MONDAY:
            moment = instant(datetime.combine(wanted, at), zone)
            if moment > after:
                return moment
    raise AssertionError("a week has no such day")  # pragma: no cover


def _next_hour(after: datetime, zone: ZoneInfo) -> datetime:
    """Count in UTC, from full hour to full hour: in both nights of the change each hour comes once."""
    offset = after.astimezone(zone).utcoffset() or timedelta()
    local = after.astimezone(UTC).replace(tzinfo=None) + offset
    full = local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return (full - offset).replace(tzinfo=UTC)
