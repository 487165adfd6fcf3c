"""A notification is stored once, however often and from wherever it is sent, also at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from models.tables import notifications
from notifier.core.draft import BULK_OVER, Draft
from notifier.core.errors import IdempotencyMismatch
from notifier.core.events import event_type
from notifier.outbox.accept import Accepted, accept_all
from tests.harness.world import World, alert

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
OTHER = "01890a5d-ac96-774b-bcce-b302099a8058"


def test_a_notification_is_one_row_that_waits(world: World) -> None:
    accepted = world.accept("u1", "u2", data=alert("Hello"))
    row = world.notification(accepted.id)
    assert (row.state, row.recipients, row.reached, row.audience) == ("accepted", 2, 0, ["u1", "u2"])
    assert (row.event, row.inbox, row.data, row.bulk) == ("alert", True, alert("Hello"), False)
    assert row.accepted_at == world.now
    assert accepted == Accepted(accepted.id, 2, replayed=False, bulk=False)


def test_a_large_audience_goes_out_in_chunks(world: World) -> None:
    assert not world.accept(*(f"u{n}" for n in range(BULK_OVER))).bulk
    assert world.accept(*(f"u{n}" for n in range(BULK_OVER + 1))).bulk


def test_the_same_key_with_the_same_body_is_the_first_answer_again(world: World) -> None:
    first = world.accept("u1", key="order-7")
    again = world.accept("u1", key="order-7")
    assert again == Accepted(first.id, 1, replayed=True, bulk=False)
    assert world.count(notifications) == 1


def test_an_explicit_id_with_the_same_body_is_the_first_answer_again(world: World) -> None:
    first = world.accept("u1", id=ID)
    again = world.accept("u1", id=ID)
    assert (first.replayed, again.replayed, again.id) == (False, True, ID)
    assert world.count(notifications) == 1


def test_fields_in_another_order_are_the_same_body(world: World) -> None:
    world.accept("u1", key="k", data={"title": "a", "message": "b", "type": "info"})
    assert world.accept("u1", key="k", data={"type": "info", "message": "b", "title": "a"}).replayed


@pytest.mark.parametrize("again_by", ["key", "id"])
@pytest.mark.parametrize(
    "other",
    [
        {"data": alert("Another title")},
        {"to": ("u2",)},
        {"to": ("u1", "u2")},
        {"event": "badge", "data": {"type": "tasks", "count": 1}},
    ],
    ids=["data", "recipient", "more recipients", "event"],
)
def test_another_body_is_refused(world: World, again_by: str, other: dict[str, object]) -> None:
    used = {"key": "order-7"} if again_by == "key" else {"id": ID}
    world.accept("u1", **used)
    given = {"to": ("u1",), **other}
    with pytest.raises(IdempotencyMismatch):
        world.accept(*given.pop("to"), **given, **used)  # type: ignore[misc, arg-type]
    assert world.count(notifications) == 1


@pytest.mark.parametrize("first_is_the_id", [True, False])
def test_a_known_key_and_a_known_id_of_different_bodies_are_refused(
    world: World, first_is_the_id: bool
) -> None:
    by_id, by_key = {"id": ID, "data": alert("by id")}, {"key": "k", "data": alert("by key")}
    for one in (by_id, by_key) if first_is_the_id else (by_key, by_id):
        world.accept("u1", **one)  # type: ignore[arg-type]
    with pytest.raises(IdempotencyMismatch):
        world.accept("u1", id=ID, key="k", data=alert("by id"))
    with pytest.raises(IdempotencyMismatch):
        world.accept("u1", id=ID, key="k", data=alert("by key"))


@pytest.mark.parametrize(
    ("first", "again"), [({}, {"id": ID}), ({"id": ID}, {}), ({"id": ID}, {"id": OTHER})]
)
def test_the_id_a_caller_chose_is_part_of_what_its_key_stands_for(
    world: World, first: dict[str, str], again: dict[str, str]
) -> None:
    stored = world.accept("u1", key="k", **first)  # type: ignore[arg-type]
    with pytest.raises(IdempotencyMismatch):
        world.accept("u1", key="k", **again)  # type: ignore[arg-type]
    assert world.accept("u1", key="k", **first).id == stored.id  # type: ignore[arg-type]


def offer(number: int, *, key: str | None = None, id: str = "", title: str = "T") -> Draft:
    made = id or f"01890a5d-ac96-774b-bcce-{number:012x}"
    return Draft(made, bool(id), event_type("alert"), alert(title), ["u1"], key=key)


def test_a_group_is_accepted_in_its_order_and_each_call_gets_its_own_answer(world: World) -> None:
    world.accept("u1", key="used", data=alert("T"))
    offers = [
        offer(1),
        offer(2, key="k"),
        offer(3, key="k"),  # the same call again, in the same group
        offer(4, key="k", title="Another"),
        offer(5, key="used"),
        offer(6, key="used", title="Another"),
        offer(7, id=ID),
        offer(8, id=ID),
        offer(9, id=ID, title="Another"),
        offer(10),
    ]
    answers = world.database.run(lambda connection: accept_all(connection, offers, now=world.tick()))
    kinds = [
        "refused" if isinstance(a, IdempotencyMismatch) else "again" if a.replayed else "new" for a in answers
    ]
    assert kinds == ["new", "new", "again", "refused", "again", "refused", "new", "again", "refused", "new"]
    assert [a.id for a in answers if isinstance(a, Accepted) and not a.replayed] == [
        offers[place].id for place in (0, 1, 6, 9)
    ]
    numbers = [world.notification(offers[place].id).number for place in (0, 1, 6, 9)]
    assert numbers == sorted(numbers)
    assert world.count(notifications) == 5


@pytest.mark.parametrize(
    "text", ['"', "\\", "\\n", "{a,b}", "NULL", "null", "\n\t", "日本 😀", "'; --", "\u200b", "\u2028"]
)
def test_a_group_keeps_every_character_and_what_is_missing(world: World, text: str) -> None:
    title = alert(f"1{text}2")
    offers = [
        Draft(ID, False, event_type("alert"), title | {"n": [None, 1.5, 2**53, True]}, [text, "u2"], text),
        Draft(OTHER, False, event_type("alert"), title, ["u1"], key=f"key {text}"),
    ]
    world.database.run(lambda connection: accept_all(connection, offers, now=world.tick()))
    for offer_ in offers:
        row = world.notification(offer_.id)
        assert (row.data, row.audience or [row.recipient], row.sender) == (
            offer_.data,
            offer_.audience,
            offer_.sender,
        )
        assert (row.idempotency_key, row.inbox, row.accepted_at) == (
            offer_.key,
            offer_.event.inbox,
            world.now,
        )
    world.dispatch()
    assert [entry.data for entry in world.log(text)] == [offers[0].data]


def test_no_key_means_no_tie(world: World) -> None:
    assert world.accept("u1").id != world.accept("u1").id
    assert world.count(notifications) == 2


def at_once(world: World, how_many: int, **given: str) -> list[Accepted]:
    """`how_many` equal calls, begun together, on as many threads as there are connections."""
    threads = 16
    together = Barrier(threads)

    def one(number: int) -> Accepted:
        if number < threads:
            together.wait()
        return world.accept("u1", **given)  # type: ignore[arg-type]

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(how_many)))


def test_a_hundred_equal_calls_with_one_key_at_once_store_one_row(world: World) -> None:
    answers = at_once(world, 100, key="order-7")
    assert world.count(notifications) == 1
    assert {answer.id for answer in answers} == {world.accept("u1", key="order-7").id}
    assert [answer.replayed for answer in answers].count(False) == 1


def test_a_hundred_equal_calls_with_one_id_at_once_store_one_row(world: World) -> None:
    answers = at_once(world, 100, id=ID)
    assert world.count(notifications) == 1
    assert [answer.replayed for answer in answers].count(False) == 1


def test_numbers_are_never_used_again(world: World) -> None:
    world.sql("DELETE FROM notifier_notifications WHERE id = :id", id=world.send("u1"))
    first = world.notification(world.send("u1")).number
    world.sql("DELETE FROM notifier_notifications")
    assert world.notification(world.send("u1")).number > first
