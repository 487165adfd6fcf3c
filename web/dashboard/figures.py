"""The figures of the dashboard: each one's rows, for its table, its chart and its CSV."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from models.store import dashboard, dashboard_lists, reports, sockets, status
from models.store.dashboard import STAGES
from models.store.dashboard_lists import ListPage
from models.store.sockets import Present
from models.store.status import Backlog
from notifier.core.errors import UnknownEvent
from notifier.core.events import event_type
from notifier.outbox.engine import Connection

DAYS = 7  # days of the range by default
MOST_DAYS = 366

LABELS = {
    "accepted_to_persisted": "Accepted → inbox",
    "persisted_to_delivered": "Inbox → delivered",
    "delivered_to_read": "Delivered → read",
    "accepted_to_delivered": "Accepted → delivered",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """Rows with named columns; a chart draws the columns `series` over the first one."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    series: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Range:
    """The range of days that are shown, inclusive."""

    since: date
    until: date

    @classmethod
    def chosen(cls, since: str | None, until: str | None, today: date) -> "Range":
        """Parse the chosen range; a wrong one (`wrong_range`) becomes the last seven days."""
        if wrong_range(since, until, today):
            return cls(today - timedelta(days=DAYS - 1), today)
        last = parsed_day(until) or today
        return cls(parsed_day(since) or last - timedelta(days=DAYS - 1), last)

    def days(self) -> list[date]:
        """Return every day of it."""
        return [self.since + timedelta(days=n) for n in range((self.until - self.since).days + 1)]


def wrong_range(since: str | None, until: str | None, today: date) -> str:
    """Return what is wrong with a chosen range, as a sentence; empty: nothing."""
    for text in (since, until):
        if text and parsed_day(text) is None:
            return f"“{text[:20]}” is not a day; write it like {today}."
    last = parsed_day(until) or today
    first = parsed_day(since) or last
    if first > last:
        return "The first day is after the last one."
    if last - first >= timedelta(days=MOST_DAYS):
        return f"These are more than {MOST_DAYS} days."
    return ""


def presets(today: date) -> list[tuple[str, Range]]:
    """Return the ranges that one press chooses, with their names."""
    yesterday = today - timedelta(days=1)
    days = [(f"{count} days", Range(today - timedelta(days=count - 1), today)) for count in (7, 30, 90)]
    return [("Today", Range(today, today)), ("Yesterday", Range(yesterday, yesterday)), *days]


def parsed_day(text: str | None) -> date | None:
    """Return the day that a text names, or None."""
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if 2000 <= day.year <= 9000 else None


@dataclass(frozen=True, slots=True)
class DashboardPage:
    """The data of the page, from one moment."""

    figures: Mapping[str, Figure]
    totals: Mapping[str, int]
    backlog: Backlog
    present: Present
    whole: bool
    lists: Mapping[str, ListPage]


def page(connection: Connection, chosen: Range, stage: str, now: datetime) -> DashboardPage:
    """Read everything that the page shows; the connection must be one consistent snapshot."""
    daily = reports.daily(connection, chosen.since, chosen.until)
    where = dashboard.span(connection, chosen.since, chosen.until)
    found = dashboard.latencies(connection, where)
    totals = _list_totals(found)
    figures = [
        _over_time(daily, chosen),
        _funnel(daily),
        _latency(found, chosen, stage),
        _stages(found),
    ]
    return DashboardPage(
        {figure.name: figure for figure in figures},
        {name: sum(getattr(row, name) for row in daily) for name in ("sent", "delivered", "read")}
        | {"readable": sum(row.sent for row in daily if readable(row.event))},
        status.backlog(connection),
        sockets.present(connection, now=now),
        where.whole,
        {
            name: dashboard_lists.page(connection, listing, where, now, total=totals.get(name))
            for name, listing in dashboard_lists.LISTINGS.items()
        },
    )


def _list_totals(found: Sequence[Any]) -> dict[str, int]:
    """Return how many rows the lists of the chosen times have: the latencies have counted them."""
    counts = {row.stage: row.count for row in found if row.day is None}
    delivered = counts.get("accepted_to_delivered", 0)
    return {"slowest": delivered, "undelivered": counts.get("accepted_to_persisted", 0) - delivered}


def figure(connection: Connection, name: str, chosen: Range, stage: str) -> Figure | None:
    """Read one figure by its name; None when it does not exist."""
    if name in ("over-time", "funnel"):
        daily = reports.daily(connection, chosen.since, chosen.until)
        return _over_time(daily, chosen) if name == "over-time" else _funnel(daily)
    if name in ("latency", "stages"):
        found = dashboard.latencies(connection, dashboard.span(connection, chosen.since, chosen.until))
        return _latency(found, chosen, stage) if name == "latency" else _stages(found)
    return None


def readable(event: str) -> bool:
    """Whether an event is an inbox entry, which somebody can read; a badge is not."""
    try:
        return event_type(event).inbox
    except UnknownEvent:  # not defined any more
        return True


def _over_time(daily: Sequence[Any], chosen: Range) -> Figure:
    counts: dict[date, dict[str, int]] = defaultdict(lambda: {"sent": 0, "delivered": 0, "read": 0})
    for row in daily:
        for name in ("sent", "delivered", "read"):
            counts[row.day][name] += getattr(row, name)
    rows = [{"day": day.isoformat(), **counts[day]} for day in chosen.days()]
    series = ("sent", "delivered", "read")
    return Figure("over-time", "Sent, delivered, read", ("day", *series), rows if daily else [], series)


def _funnel(daily: Sequence[Any]) -> Figure:
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(
        lambda: {"sent": 0, "delivered": 0, "read": 0}
    )
    for row in daily:
        for name in ("sent", "delivered", "read"):
            counts[row.event, row.type or ""][name] += getattr(row, name)
    rows = [
        {"event": event, "type": kind, "readable": readable(event), **of}
        for (event, kind), of in sorted(counts.items())
        if of["sent"]
    ]
    return Figure("funnel", "Funnel by type", ("event", "type", "sent", "delivered", "read"), rows)


def _latency(found: Sequence[Any], chosen: Range, stage: str) -> Figure:
    by_day = {row.day: row for row in found if row.stage == stage and row.day is not None}
    series = ("p50_ms", "p95_ms", "p99_ms")
    rows = [
        {"day": day, "count": row.count if row else 0}
        | {name: getattr(row, name) if row else None for name in series}
        for day in (one.isoformat() for one in chosen.days())
        for row in (by_day.get(day),)
    ]
    title = f"Latency by day: {LABELS[stage]}"
    return Figure("latency", title, ("day", *series, "count"), rows if by_day else [], series)


def _stages(found: Sequence[Any]) -> Figure:
    overall = {row.stage: row for row in found if row.day is None}
    rows = [
        {"stage": LABELS[stage], "p50_ms": r.p50_ms, "p95_ms": r.p95_ms, "p99_ms": r.p99_ms, "count": r.count}
        for stage in STAGES
        if (r := overall.get(stage))
    ]
    return Figure("stages", "Latency by stage", ("stage", "p50_ms", "p95_ms", "p99_ms", "count"), rows)


def today() -> date:
    """Return today's date in UTC."""
    return datetime.now(UTC).date()
