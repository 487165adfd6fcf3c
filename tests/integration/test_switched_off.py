"""What is switched off gets no seq and no count, but a row that says so: decided in the dispatch, told for ever."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.store import dispatch, reports, status, timeline
from models.store.fan_out import Dispatched
from models.tables import deliveries, notifications, suppressed
from notifier.core import frames
from notifier.core.categories import Category, categories, replace_categories
from notifier.core.diagnosis import summary
from notifier.core.draft import draft
from notifier.core.preferences import changed
from notifier.outbox import recipients
from notifier.outbox.accept import accept
from tests.harness.world import World, alert

ORDERS = Category("orders", "Orders")
NEWS = Category("news", "News", defaults={"inbox": "off"})
SECURITY = Category("security", "Security", required=True)
KINDS = {kind.name: kind for kind in (ORDERS, NEWS, SECURITY)}
OFF = {"channels": {"inbox": "off"}}
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _kinds() -> Iterator[None]:
    before = {kind.name: kind for kind in categories()}
    replace_categories({}, KINDS)
    yield
    replace_categories(KINDS, before)


def prefer(world: World, user: str, change: dict[str, Any], **profile: Any) -> None:
    with world.database.write() as connection:
        stored, _ = recipients.lock(connection, user, now=world.now)
        kept = changed(stored, change, at=round(SINCE.timestamp() * 1000))
        recipients.keep_preferences(connection, user, kept, now=world.now)
        recipients.put(connection, user, profile, now=world.now)


def send(world: World, *to: str, category: str | None = "orders", event: str = "alert") -> str:
    data = alert() if event == "alert" else {"type": "messages", "count": 3}
    what = draft(user_ids=to, event=event, data=data, category=category)
    return world.database.run(lambda connection: accept(connection, what, now=world.tick())).id


def statements(world: World, work: Any) -> list[str]:
    """What a piece of work asks of the database."""
    said: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    sa.event.listen(world.database.engine, "before_cursor_execute", listen)
    try:
        work()
    finally:
        sa.event.remove(world.database.engine, "before_cursor_execute", listen)
    return said


VALUES = (None, "on", "off")


@pytest.mark.parametrize("kind", ["orders", "news", "security", "general"])
def test_the_truth_table_holds_through_dispatch(world: World, kind: str) -> None:
    expected: dict[str, bool] = {}
    for own, whole in itertools.product(VALUES, VALUES):
        user = f"{own}-{whole}"
        change = {"categories": {kind: {"inbox": own}}, "channels": {"inbox": whole}}
        prefer(world, user, change)
        value = own or whole or ("off" if kind == "news" else "on")
        expected[user] = kind == "security" or value == "on"
    users = list(expected)
    many = send(world, *users, category=kind)
    singles = {user: send(world, user, category=kind) for user in users}
    published = world.dispatch()
    for user, gets in expected.items():
        assert [entry.seq for whose, entry in published if whose == user] == ([1, 2] if gets else [])
        assert len(world.log(user)) == (2 if gets else 0)
        if gets:
            assert world.head(user) == (2, 2)
        row = world.notification(singles[user])
        assert (row.state, row.reached, row.suppressed) == ("dispatched", int(gets), int(not gets))
    row = world.notification(many)
    off = sum(not gets for gets in expected.values())
    assert (row.reached, row.suppressed, row.recipients) == (len(users) - off, off, len(users))
    assert world.count(suppressed) == 2 * off
    assert world.violations() == []


def test_who_did_not_get_it_is_told_why_and_since_when(world: World) -> None:
    prefer(world, "ann", OFF)
    id = send(world, "ann", "bob")
    by_default = send(world, "bob", category="news")
    world.dispatch()
    with world.database.read() as connection:
        found = timeline.timeline(connection, id, "ann", now=world.now)
        whole = timeline.timeline(connection, id, None, now=world.now)
        default = timeline.timeline(connection, by_default, None, now=world.now)
        told = status.status(connection, id)
        row = next(r for r in reports.notifications(connection).rows if r.notification_id == id)
    assert found
    assert whole
    assert default
    assert told
    assert found.off
    assert found.off.since == SINCE
    assert "switched it off at 2026-01-01 00:00:00 UTC" in summary(found, world.now)
    assert "off by default" in summary(default, world.now)
    assert "1 of 2 recipients had switched it off" in summary(whole, world.now)
    assert (told.recipients, told.suppressed, row.suppressed, row.sent) == (2, 1, 1, 1)


def test_a_change_touches_nothing_that_has_arrived(world: World) -> None:
    first = send(world, "ann")
    world.dispatch()
    prefer(world, "ann", OFF)
    second = send(world, "ann")
    world.dispatch()
    prefer(world, "ann", {"channels": {"inbox": None}})
    third = send(world, "ann")
    world.dispatch()
    assert [entry.id for entry in world.log("ann")] == [first, third]
    assert world.notification(second).suppressed == 1
    assert world.head("ann") == (2, 2)
    assert world.violations() == []


def test_a_badge_is_not_an_inbox_entry_and_passes(world: World) -> None:
    prefer(world, "ann", {**OFF, "paused_until": 10**14})
    send(world, "ann", category=None, event="badge")
    assert [(entry.event, entry.quiet) for _, entry in world.dispatch()] == [("badge", False)]


def test_a_broadcast_goes_on_in_chunks_over_those_who_switched_it_off(world: World) -> None:
    users = [f"u{number:03}" for number in range(150)]
    for user in users[:120:2]:
        prefer(world, user, OFF)
    id = send(world, *users)
    assert world.chunk(id, 50).more
    for user in users[:120:2]:
        prefer(world, user, {"channels": {"inbox": None}})  # nobody has preferences any more
    while world.chunk(id, 30).more:
        pass
    row = world.notification(id)
    assert (row.state, row.reached, row.suppressed, row.position) == ("dispatched", 125, 25, 150)
    assert world.violations() == []


def test_where_nobody_has_preferences_it_costs_neither_a_statement_nor_a_column(world: World) -> None:
    def batch() -> Dispatched:
        return world.database.run(partial(dispatch.dispatch_batch, limit=9, now=world.tick()))

    world.arrive("ann")
    world.send("ann")
    plain = statements(world, batch)
    taken = [text for text in plain if "FROM notifier_notifications" in text and "inbox" in text]
    assert not any("notifier_suppressed" in text or "quiet" in text for text in plain)
    assert not any("notifier_recipients.preferences" in text for text in plain)
    prefer(world, "bob", OFF)
    world.send("ann")
    asked = statements(world, batch)
    assert len(asked) == len(plain) + 2, "the rows' own columns, and the preferences of the batch"
    prefer(world, "bob", {"channels": {"inbox": None}})
    world.send("ann")
    assert len(statements(world, batch)) == len(plain)
    assert taken


@pytest.mark.parametrize(
    ("change", "profile", "quiet"),
    [
        ({"paused_until": 4_000_000_000_000}, {}, True),
        ({"paused_until": 1}, {}, False),
        ({"quiet_hours": {"from": "02:00", "to": "05:00"}}, {}, True),
        ({"quiet_hours": {"from": "02:00", "to": "05:00"}}, {"timezone": "Asia/Tokyo"}, False),
        ({"quiet_hours": {"from": "11:00", "to": "14:00"}}, {"timezone": "Asia/Tokyo"}, True),
        ({"quiet_hours": {"from": "02:00", "to": "05:00", "days": ["sat"]}}, {}, False),
    ],
)
def test_the_frame_says_that_it_is_quiet_live_and_in_every_replay(
    world: World, change: dict[str, Any], profile: dict[str, Any], quiet: bool
) -> None:
    prefer(world, "ann", change, **profile)
    send(world, "ann", "bob")
    send(world, "ann", category="security")
    live = {entry.id: entry for user, entry in world.dispatch() if user == "ann"}
    assert [entry.quiet for entry in live.values()] == [quiet, False], "required passes"
    assert world.log("ann") == list(live.values())
    assert [entry.quiet for entry in world.log("bob")] == [False]
    first = frames.event("ann", world.log("ann")[0])
    assert (b'"quiet":true' in first) == quiet
    assert world.head("ann") == (2, 2), "it counts as ever"


def test_preferences_that_cannot_be_read_count_as_none(world: World) -> None:
    prefer(world, "ann", OFF)
    prefer(world, "bob", OFF)
    broken = '{"channels": {"inbox": 7}}'
    with world.database.write() as connection:
        cast = "CAST(:it AS jsonb)" if connection.dialect.name == "postgresql" else ":it"
        connection.execute(
            sa.text(f"UPDATE notifier_recipients SET preferences = {cast} WHERE user_id = 'ann'"),
            {"it": broken},
        )
    send(world, "ann", "bob")
    assert [user for user, _ in world.dispatch()] == ["ann"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["off", "on", "category", "send", "many", "dispatch", "quiet"]),
        st.sampled_from(["u1", "u2", "u3"]),
    ),
    max_size=30,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_recipients_are_conserved_whatever_is_switched_when(
    world: World, steps: list[tuple[str, str]]
) -> None:
    for what, user in [*steps, ("dispatch", "u1")]:
        match what:
            case "off":
                prefer(world, user, OFF)
            case "on":
                prefer(world, user, {"channels": {"inbox": None}, "categories": {"orders": {"inbox": None}}})
            case "category":
                prefer(world, user, {"categories": {"orders": {"inbox": "off"}}})
            case "quiet":
                prefer(
                    world, user, {"paused_until": round((world.now + timedelta(days=1)).timestamp() * 1000)}
                )
            case "send":
                send(world, user)
            case "many":
                send(world, "u1", "u2", "u3")
            case _:
                world.dispatch()
    assert world.violations() == []
    n = notifications.c
    with world.database.read() as connection:
        wanted = connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(n.recipients), 0)))
    assert world.count(deliveries) + world.count(suppressed) == wanted
