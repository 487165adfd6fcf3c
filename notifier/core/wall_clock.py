"""Moments at which a zone's clock on the wall shows a time. Pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment, in UTC, at which a zone's clock shows the naive time `local`.

    A time that the clock passes over in spring is the first moment after the gap; of a time that comes twice
    in autumn it is the first of the two.
    """
    first = local.replace(tzinfo=zone, fold=0)
    found = first.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    # In a gap: `fold` 0 has the offset of before it, 1 that of after it; the gap's end lies between them.
    low, high = sorted((first.replace(fold=1).astimezone(UTC), found))
    while high - low > timedelta(microseconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).replace(tzinfo=None) < local:
            low = middle
        else:
            high = middle
    return high
