"""The ledger must notice each fault: it is fed in, and must raise."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.ledger import Breach, Ledger

USER = "user-7"


def frame(op: str, **fields: Any) -> dict[str, Any]:
    return {"op": op, **fields}


def welcome(seq: int = 0, unread: int = 0, **badges: int) -> dict[str, Any]:
    return frame("welcome", user_id=USER, seq=seq, unread=unread, badges=badges, ping_interval=25)


def entry(op: str, seq: int, event: str = "alert", **fields: Any) -> dict[str, Any]:
    common = {"seq": seq, "event": event, "room": f"user:{USER}", "from": "system", "timestamp": 1}
    known = {} if event.startswith("inbox.") else {"id": f"n{seq}"}
    return frame(op, **{**common, **known, "data": {"title": "t"}, **fields})


def alert(seq: int, unread: int, **fields: Any) -> dict[str, Any]:
    return entry("event", seq, unread=unread, **fields)


def change(seq: int, name: str, unread: int, **data: Any) -> dict[str, Any]:
    return entry("event", seq, f"inbox.{name}", unread=unread, data=data)


def badge(seq: int, unread: int, kind: str, count: int) -> dict[str, Any]:
    return entry("event", seq, "badge", unread=unread, data={"type": kind, "count": count})


def item(seq: int, **fields: Any) -> dict[str, Any]:
    return entry("item", seq, **{"read_at": None, "archived_at": None, **fields})


def started(after: int | None = 0, *frames: dict[str, Any], **options: Any) -> Ledger:
    ledger = Ledger(USER, **options)
    ledger.says_hello(after)
    return fed(ledger, *frames)


def fed(ledger: Ledger, *frames: dict[str, Any]) -> Ledger:
    for one in frames:
        ledger.feed(one)
    return ledger


def reconnected(ledger: Ledger, *frames: dict[str, Any]) -> Ledger:
    ledger.ends()
    ledger.says_hello(ledger.seq)
    return fed(ledger, *frames)


def live_at(seq: int) -> Ledger:
    """Return the ledger of a client that started with an empty inbox and has got `seq` alerts live."""
    ledger = started(0, welcome(), frame("live", seq=0))
    return fed(ledger, *(alert(number, number) for number in range(1, seq + 1)))


def test_a_faultless_connection_raises_nothing() -> None:
    ledger = live_at(3)
    fed(
        ledger,
        badge(4, 3, "tasks", 9),
        change(5, "read", 2, ids=["n1"]),
        change(6, "unread", 3, ids=["n1"]),
        change(7, "archived", 2, ids=["n2"]),
        change(8, "read", 0, through=7),
        change(9, "unread", 1, ids=["n2"]),
    )
    reconnected(ledger, welcome(10, 2, tasks=9), alert(10, 2), frame("live", seq=10))
    assert ledger.live
    assert (ledger.seq, ledger.inbox.unread, ledger.inbox.badges) == (10, 2, {"tasks": 9})
    ledger.account(["n1", "n2", "n3", "n4", "n10"])
    ledger.in_order(["n1", "n3", "n10"])


def test_a_window_and_what_follows_it_raise_nothing() -> None:
    ledger = started(None, welcome(7, 2), item(3), item(6), frame("live", seq=7), alert(8, 3))
    fed(ledger, change(9, "read", 2, ids=["n3"]))
    assert ledger.inbox.complete


@pytest.mark.parametrize(
    ("fault", "frames"),
    [
        ("doubled", [alert(3, 3)]),
        ("missing", [alert(5, 4)]),
        ("swapped", [alert(5, 5), alert(4, 4)]),
        ("the same notification under two seqs", [alert(4, 4, id="n3")]),
        ("unread one too high", [alert(4, 5)]),
        ("unread counts a badge", [badge(4, 4, "tasks", 1)]),
        ("unread after a read is not exact", [change(4, "read", 3, ids=["n1"])]),
        ("unread after a second read", [change(4 + n, "read", 2 - n, ids=["n1"]) for n in range(2)]),
        ("unread after a read through", [change(4, "read", 2, through=2)]),
        ("unread after an archive", [change(4, "archived", 3, ids=["n1"])]),
        ("another user's room", [alert(4, 4, room="user:other")]),
        ("an id on a change of state", [{**change(4, "read", 2, ids=["n1"]), "id": "x"}]),
        ("no id on an alert", [{k: v for k, v in alert(4, 4).items() if k != "id"}]),
        ("a field too many", [alert(4, 4, extra=1)]),
        ("an item in the middle", [item(4)]),
        ("a reset in the middle", [frame("reset", reason="why", seq=9, unread=0, badges={})]),
        ("a second welcome", [welcome(3, 3)]),
        ("a second live", [frame("live", seq=3)]),
        ("a pong that was not asked for", [frame("pong")]),
        ("an unknown op", [frame("hullo")]),
    ],
)  # fmt: skip
def test_a_fault_while_live_is_caught(fault: str, frames: list[dict[str, Any]]) -> None:
    ledger = live_at(3)
    with pytest.raises(Breach):
        fed(ledger, *frames)


@pytest.mark.parametrize(
    ("fault", "frames"),
    [
        ("a doubled event over the connections", [welcome(4, 4), alert(3, 3)]),
        ("a gap over the connections", [welcome(5, 5), alert(5, 5)]),
        ("a replay that ends early", [welcome(5, 5), alert(4, 4), frame("live", seq=4)]),
        ("live that claims too much", [welcome(4, 4), alert(4, 4), frame("live", seq=5)]),
        ("a window nobody asked for", [welcome(4, 4), item(4)]),
        ("a welcome whose unread is not what the events add up to", [welcome(4, 9), alert(4, 4)]),
        ("a welcome whose badges are not what the events add up to", [welcome(4, 4, tasks=1), alert(4, 4)]),
        ("a welcome that is not even with what it has", [welcome(3, 2)]),
        ("a head that went back, without a reset", [welcome(2, 2), frame("live", seq=3)]),
        ("a thousand and one behind, without a reset", [welcome(1004, 1004), alert(4, 4)]),
        ("another user's welcome", [{**welcome(3, 3), "user_id": "other"}]),
        ("events before the welcome", [alert(4, 4)]),
    ],
)
def test_a_fault_on_return_is_caught(fault: str, frames: list[dict[str, Any]]) -> None:
    ledger = live_at(3)
    with pytest.raises(Breach):
        reconnected(ledger, *frames)


@pytest.mark.parametrize(
    ("fault", "frames"),
    [
        ("newest first", [welcome(7, 2), item(6), item(3)]),
        ("an item that was read", [welcome(7, 1), item(3, read_at=5)]),
        ("an item beyond the head", [welcome(7, 1), item(8)]),
        ("too few items", [welcome(7, 2), item(3), frame("live", seq=7)]),
        ("too many items", [welcome(7, 1), item(3), item(4), frame("live", seq=7)]),
        ("live at another seq", [welcome(7, 1), item(3), frame("live", seq=8)]),
        ("an event inside the window", [welcome(7, 2), item(3), alert(8, 3)]),
        ("a gap after the window", [welcome(7, 0), frame("live", seq=7), alert(9, 1)]),
        ("an event of the window again", [welcome(7, 0), frame("live", seq=7), alert(7, 1)]),
    ],
)
def test_a_fault_in_the_window_is_caught(fault: str, frames: list[dict[str, Any]]) -> None:
    with pytest.raises(Breach):
        started(None, *frames)


def test_a_window_of_more_than_fifty_unread_holds_fifty() -> None:
    items = [item(seq) for seq in range(11, 61)]
    ledger = started(None, welcome(60, 60), *items, frame("live", seq=60))
    assert not ledger.inbox.complete
    with pytest.raises(Breach):
        started(None, welcome(60, 60), *items[1:], frame("live", seq=60))


def test_a_reset_is_accepted_where_it_is_due() -> None:
    reset = frame("reset", reason="behind", seq=2000, unread=0, badges={})
    ledger = reconnected(live_at(3), welcome(2000, 0), reset, frame("live", seq=2000), alert(2001, 1))
    assert ledger.resets == ["behind"]


def test_lost_invented_and_reordered_are_named_at_the_end() -> None:
    ledger = live_at(3)
    with pytest.raises(Breach, match=r"1 lost of 4: \['n4'\]"):
        ledger.account(["n1", "n2", "n3", "n4"])
    with pytest.raises(Breach, match="1 invented"):
        ledger.account(["n1", "n2"])
    with pytest.raises(Breach, match="order"):
        ledger.in_order(["n2", "n1"])


def test_differences_from_a_new_read_are_named() -> None:
    ledger = fed(live_at(2), badge(3, 2, "tasks", 1))
    stored = [
        {"id": "n1", "seq": 1, "data": {"title": "t"}, "read_at": None, "archived_at": None},
        {"id": "n2", "seq": 2, "data": {"title": "t"}, "read_at": None, "archived_at": None},
    ]
    page = {"unread": 2, "badges": {"tasks": 1}}
    assert ledger.inbox.differences(page, stored) == []
    assert len(ledger.inbox.differences({"unread": 1, "badges": {}}, stored)) == 2
    assert len(ledger.inbox.differences(page, stored[:1])) == 1
    assert len(ledger.inbox.differences(page, [stored[0], {**stored[1], "read_at": 5}])) == 1
    assert len(ledger.inbox.differences(page, [*stored, {**stored[0], "id": "n9"}])) == 1
