"""A user's last entries with their state: what `notifier inbox` prints, and what a timeline says of a snooze."""

from __future__ import annotations

from datetime import timedelta

from models.store import entries
from models.store.timeline import timeline
from notifier.core.diagnosis import summary
from notifier.core.log import Why
from notifier.outbox.types import now
from tests.harness.world import World

USER = "u1"


def test_every_state_is_told_and_what_is_withdrawn_has_no_data(world: World) -> None:
    unread, read, archived, snoozed, retracted, expired = world.arrive(USER, 6)
    older = world.send(USER, collapse_key="k")
    world.dispatch()
    newer = world.send(USER, collapse_key="k")
    world.dispatch()
    world.read(USER, read)
    world.archive(USER, archived)
    until = now() + timedelta(hours=1)
    world.snooze(USER, snoozed, until=until)
    world.withdraw(retracted)
    world.withdraw(expired, why=Why.EXPIRED)
    with world.database.read() as connection:
        found = {entry.id: entry for entry in entries.latest(connection, USER, 50)}
        assert len(entries.latest(connection, USER, 3)) == 3
    assert {id: entry.state for id, entry in found.items()} == {
        unread: "unread",
        read: "read",
        archived: "archived",
        snoozed: "snoozed",
        retracted: "retracted",
        expired: "expired",
        older: "collapsed",
        newer: "unread",
    }
    assert {id for id, entry in found.items() if entry.data is None} == {retracted, expired}
    assert found[snoozed].until == until


def told(world: World, id: str) -> str:
    with world.database.read() as connection:
        found = timeline(connection, id, USER, now=world.now)
    assert found is not None
    return summary(found, world.now)


def test_a_timeline_says_until_when_it_is_snoozed_that_it_came_back_and_what_replaced_it(
    world: World,
) -> None:
    id = world.send(USER, collapse_key="k")
    world.dispatch()
    world.snooze(USER, id)
    assert "snoozed it until" in told(world, id)
    world.unsnooze(USER, id)
    assert "came back" in told(world, id)
    world.send(USER, collapse_key="k")
    world.dispatch()
    assert "replaced it" in told(world, id)
