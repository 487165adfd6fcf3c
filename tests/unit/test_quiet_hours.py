"""Quiet hours in every zone: once a night, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.core.policy import quiet_until
from notifier.core.quiet_hours import as_json, parse, quiet_end, zone_named
from notifier.core.wall_clock import instant

ZONES = sorted(name for name in available_timezones() if "/" in name or name == "UTC")
clocks = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))


def hours(begin: str = "22:00", end: str = "07:00", **more: Any) -> Any:
    return parse({"from": begin, "to": end, **more})


def local(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - a wall clock's


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


BERLIN = ZoneInfo("Europe/Berlin")


def until(given: Any, text: str, zone: ZoneInfo = BERLIN, paused: datetime | None = None) -> datetime | None:
    found = quiet_end(given, paused, zone, at(text, str(zone)))
    return found and found.astimezone(zone).replace(tzinfo=None)


def test_they_cross_midnight() -> None:
    assert until(hours(), "2026-11-27T21:59:59") is None
    assert until(hours(), "2026-11-27T22:00:00") == local(2026, 11, 28, 7)
    assert until(hours(), "2026-11-28T06:59:59") == local(2026, 11, 28, 7)
    assert until(hours(), "2026-11-28T07:00:00") is None


def test_days_are_those_on_which_they_begin() -> None:
    friday = hours(days=["fri"])
    assert until(friday, "2026-11-28T03:00:00") == local(2026, 11, 28, 7), "the night of Friday"
    assert until(friday, "2026-11-28T23:00:00") is None
    assert until(friday, "2026-11-27T03:00:00") is None, "the night of Thursday"


def test_they_have_a_zone_of_their_own_or_the_recipients() -> None:
    there = hours(timezone="Asia/Tokyo")
    assert until(there, "2026-11-27T14:30:00") == local(2026, 11, 27, 23), "22:30 in Tokyo"
    assert zone_named(None, "Mars/Olympus", "Asia/Tokyo") == ZoneInfo("Asia/Tokyo")
    assert zone_named(None) == ZoneInfo("UTC")


def test_in_a_spring_gap_the_first_existing_instant_counts() -> None:
    # 02:00 to 03:00 does not exist on 2026-03-29.
    assert until(hours("01:00", "02:30"), "2026-03-29T01:30:00") == local(2026, 3, 29, 3)
    assert until(hours("02:30", "04:00"), "2026-03-29T03:00:00") == local(2026, 3, 29, 4)
    assert until(hours("02:10", "02:50"), "2026-03-29T03:00:00") is None, "nothing is left of them"


def test_in_an_autumn_overlap_the_first_of_the_two_counts_once() -> None:
    # 02:00 to 03:00 exists twice on 2026-10-25.
    second = at("2026-10-25T02:15:00").replace(fold=1)
    assert quiet_end(hours("02:00", "02:30"), None, BERLIN, at("2026-10-25T02:15:00")) is not None
    assert quiet_end(hours("02:00", "02:30"), None, BERLIN, second) is None


def test_a_pause_goes_on_into_quiet_hours_and_they_into_each_other() -> None:
    paused = at("2026-11-27T22:30:00").astimezone(UTC)
    assert until(hours(), "2026-11-27T20:00:00", paused=paused) == local(2026, 11, 28, 7)
    assert until(None, "2026-11-27T20:00:00", paused=paused) == local(2026, 11, 27, 22, 30)
    assert until(None, "2026-11-27T23:00:00", paused=paused) is None


def test_what_is_stored_says_when() -> None:
    stored = {
        "quiet_hours": {"value": as_json(hours(days=["fri", "mon"])), "at": 1},
        "paused_until": {"value": 0, "at": 1},
    }
    assert stored["quiet_hours"]["value"]["days"] == ["mon", "fri"]
    assert quiet_until(stored, BERLIN, at("2026-11-27T23:00:00")) == at("2026-11-28T07:00:00")
    assert quiet_until(None, BERLIN, at("2026-11-27T23:00:00")) is None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ZONES), st.dates(date(1990, 1, 1), date(2037, 12, 31)), clocks)
def test_an_instant_is_the_first_that_shows_the_time_or_comes_after_its_gap(
    zone: str, day: date, clock: time
) -> None:
    there = ZoneInfo(zone)
    found = instant(datetime.combine(day, clock), there)
    shown = found.astimezone(there).replace(tzinfo=None)
    wanted = datetime.combine(day, clock)
    assert shown >= wanted
    before = found - timedelta(microseconds=2)
    assert before.astimezone(there).replace(tzinfo=None) < wanted
    if shown > wanted:  # a gap: no instant shows it
        assert all(
            (found + step * timedelta(minutes=15)).astimezone(there).replace(tzinfo=None) != wanted
            for step in range(-120, 120)
        )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(1990, 1, 2), local(2037, 12, 30)),  # noqa: DTZ001 - in UTC below
    clocks, clocks, st.sets(st.integers(0, 6)),
)  # fmt: skip
def test_it_is_quiet_from_each_begin_to_its_end_in_every_zone(
    zone: str, moment: datetime, begin: time, end: time, days: set[int]
) -> None:
    if begin == end:
        return
    there, present = ZoneInfo(zone), moment.replace(tzinfo=UTC)
    names = [("mon", "tue", "wed", "thu", "fri", "sat", "sun")[day] for day in sorted(days)]
    given_hours = hours(f"{begin:%H:%M}", f"{end:%H:%M}", **({"days": names} if names else {}))
    spans = []
    for number in range(-3, 4):
        day = present.astimezone(there).date() + timedelta(days=number)
        if not days or day.weekday() in days:
            until = day + timedelta(days=end < begin)
            spans.append(
                (
                    instant(datetime.combine(day, begin), there),
                    instant(datetime.combine(until, end), there),
                )
            )
    inside = any(first <= present < last for first, last in spans)
    found = quiet_end(given_hours, None, there, present)
    assert (found is not None) == inside
    if found is not None:
        assert quiet_end(given_hours, None, there, found) is None, "it has really ended then"
        assert quiet_end(given_hours, None, there, found - timedelta(seconds=1)) == found
