"""What explain says of a notification that waits for its time, or that is withdrawn."""

from __future__ import annotations

from datetime import timedelta

from notifier.outbox import clock
from tests.harness.world import World
from usecases.explain import Explanation, explain


def told(world: World, id: str, user: str | None = None) -> Explanation:
    return explain(world.database, id, user, broker_answers=lambda: True, limit=10)


def steps(found: Explanation) -> dict[str, bool]:
    return {step["step"]: step["at"] is not None for step in found.json()["steps"]}


def test_one_that_is_scheduled(world: World) -> None:
    with world.database.read() as connection:
        at = clock.present(connection) + timedelta(hours=3)
    found = told(world, world.send("u", deliver_at=at))
    assert found.summary.startswith("It is scheduled, and due in ")
    assert list(steps(found))[:2] == ["scheduled", "accepted"]
    assert steps(found)["accepted"] is False


def test_one_that_was_canceled_or_expired_before_anybody_had_it(world: World) -> None:
    id, late = world.send("u"), world.send("u", expires_in=60)
    world.cancel(id)
    world.expire(late)
    assert told(world, id).summary == "It was canceled: its sender stopped it before anybody had it."
    assert told(world, late).summary == "It expired before anybody had it."
    assert steps(told(world, id))["canceled"]


def test_one_that_was_taken_back(world: World) -> None:
    (id,) = world.arrive("u")
    world.read("u", id)
    world.cancel(id)
    assert "It is not shown any more. It had been read before." in told(world, id, "u").summary
    assert steps(told(world, id))["retracted"]
