"""When digests go out."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.core.digest import DAILY, FREQUENCIES, HOURLY, WEEKLY, next_digest
from notifier.core.wall_clock import instant

BERLIN, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")
KATHMANDU, NEW_YORK, APIA = ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/New_York"), ZoneInfo("Pacific/Apia")
ZONES = [BERLIN, LORD_HOWE, KATHMANDU, NEW_YORK, APIA, ZoneInfo("UTC")]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("frequency", "after", "at", "due"),
    [
        (DAILY, utc(2026, 1, 5, 7, 59, 59), time(9), utc(2026, 1, 5, 8)),
        (DAILY, utc(2026, 1, 5, 8), time(9), utc(2026, 1, 6, 8)),
        (WEEKLY, utc(2026, 1, 5, 8), time(9), utc(2026, 1, 12, 8)),
        (WEEKLY, utc(2026, 1, 4, 23, 30), time(9), utc(2026, 1, 5, 8)),
        (HOURLY, utc(2026, 1, 5, 7, 59, 59), time(9), utc(2026, 1, 5, 8)),
        (HOURLY, utc(2026, 1, 5, 8), time(9), utc(2026, 1, 5, 9)),
        # Spring: 02:30 does not exist; the first moment after the gap is 03:00.
        (DAILY, utc(2026, 3, 28, 23), time(2, 30), utc(2026, 3, 29, 1)),
        (HOURLY, utc(2026, 3, 29, 0, 30), time(9), utc(2026, 3, 29, 1)),
        # Autumn: 02:30 comes twice, and counts the first time only.
        (DAILY, utc(2026, 10, 24, 23), time(2, 30), utc(2026, 10, 25, 0, 30)),
        (DAILY, utc(2026, 10, 25, 0, 30), time(2, 30), utc(2026, 10, 26, 1, 30)),
        (HOURLY, utc(2026, 10, 25, 0, 0), time(9), utc(2026, 10, 25, 1)),
    ],
)
def test_berlin(frequency: str, after: datetime, at: time, due: datetime) -> None:
    assert next_digest(frequency, after, BERLIN, at) == due


def test_a_day_that_a_zone_left_out() -> None:
    # Samoa had no 30 December 2011: the first moment after the gap is the midnight that ends it.
    assert next_digest(DAILY, utc(2011, 12, 29, 20), APIA, time(9)) == utc(2011, 12, 30, 10)


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1_577_836_800, 1_893_456_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.sampled_from(sorted(FREQUENCIES)), st.sampled_from(ZONES), st.times(),
)  # fmt: skip
def test_the_next_one_is_later_and_within_its_period(
    after: datetime, frequency: str, zone: ZoneInfo, at: time
) -> None:
    at = at.replace(second=0, microsecond=0, tzinfo=None)
    due = next_digest(frequency, after, zone, at)
    most = {
        HOURLY: timedelta(hours=1, minutes=30),
        DAILY: timedelta(hours=50),
        WEEKLY: timedelta(days=8, hours=2),
    }
    assert after < due <= after + most[frequency]
    local = due.astimezone(zone)
    if frequency != HOURLY and local.replace(tzinfo=None).time() != at:
        assert instant(datetime.combine(local.date(), at), zone) == due  # a gap
    assert next_digest(frequency, due, zone, at) > due
