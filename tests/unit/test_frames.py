"""The frames of `notifier.v1`, as in docs/contract.md, section 6."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core import frames
from notifier.core.errors import BadFrame, FrameTooBig, NotifierError
from notifier.core.log import READ, Entry, Item, Snapshot

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
DATA = {"title": "Order Shipped", "message": "m", "type": "info"}


def parse(**frame: Any) -> frames.ClientFrame:
    return frames.parse(json.dumps(frame))


def loads(frame: bytes) -> Any:
    return json.loads(frame)


# ---------------------------------------------------------------------- what a client may say


def test_a_hello_names_the_user_and_the_last_seq() -> None:
    hello = parse(op="hello", token="t", after=7, device="phone")
    assert hello == frames.Hello(op="hello", token="t", after=7, device="phone")
    assert parse(op="hello", token="t") == frames.Hello(op="hello", token="t", after=None, device=None)
    assert parse(op="hello", token="t", after=None).after is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ({"op": "ack", "seq": 0}, frames.Ack),
        ({"op": "ack", "seq": 2**63 - 1}, frames.Ack),
        ({"op": "read", "ids": [ID]}, frames.Read),
        ({"op": "read", "ids": [ID] * 1_000}, frames.Read),
        ({"op": "read", "through": 0}, frames.Read),
        ({"op": "unread", "ids": [ID]}, frames.Unread),
        ({"op": "archive", "ids": [ID]}, frames.Archive),
        ({"op": "auth", "token": "t"}, frames.Auth),
        ({"op": "ping"}, frames.Ping),
        ({"op": "ping", "something": "new"}, frames.Ping),
        ({"op": "hello", "token": "t", "device": "x" * 64}, frames.Hello),
    ],
)
def test_every_op_is_understood(frame: dict[str, Any], kind: type) -> None:
    assert isinstance(parse(**frame), kind)


def test_ids_are_normalised() -> None:
    assert parse(op="read", ids=[ID.upper()]).ids == [ID]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"op": None},
        {"op": "shout"},
        {"op": "welcome"},
        {"op": ["ping"]},
        {"op": "hello", "token": 7},
        {"op": "hello", "token": "x" * 8_193},
        {"op": "hello", "token": "t", "after": -1},
        {"op": "hello", "token": "t", "after": "7"},
        {"op": "hello", "token": "t", "after": 1.5},
        {"op": "hello", "token": "t", "after": True},
        {"op": "hello", "token": "t", "after": 2**63},
        {"op": "hello", "token": "t", "device": ""},
        {"op": "hello", "token": "t", "device": "x" * 65},
        {"op": "hello", "token": "t", "device": "a\nb"},
        {"op": "hello", "token": "t", "device": "a\u0000b"},
        {"op": "hello", "token": "t", "device": 7},
        {"op": "ack"},
        {"op": "ack", "seq": -1},
        {"op": "ack", "seq": 2**63},
        {"op": "ack", "seq": "1"},
        {"op": "ack", "seq": 1.0},
        {"op": "read"},
        {"op": "read", "ids": []},
        {"op": "read", "ids": [ID] * 1_001},
        {"op": "read", "ids": ["x"]},
        {"op": "read", "ids": [ID + "\n"]},
        {"op": "read", "ids": [7]},
        {"op": "read", "ids": ID},
        {"op": "read", "through": -1},
        {"op": "read", "through": 1, "ids": [ID]},
        {"op": "unread"},
        {"op": "unread", "through": 1},
        {"op": "archive", "ids": []},
    ],
)
def test_a_frame_that_breaks_a_rule_is_a_bad_frame(frame: dict[str, Any]) -> None:
    with pytest.raises(BadFrame):
        parse(**frame)


@pytest.mark.parametrize(
    "text", ["", "hello", "[]", "[1]", "7", "null", '"ping"', "{", '{"op":"ping"} x', "NaN"]
)
def test_anything_but_a_json_object_is_a_bad_frame(text: str) -> None:
    with pytest.raises(BadFrame):
        frames.parse(text)


def test_a_binary_frame_is_a_bad_frame() -> None:
    with pytest.raises(BadFrame):
        frames.parse(b'{"op":"ping"}')


def test_a_frame_has_64_kib_at_most_in_bytes_not_in_characters() -> None:
    def padded(pad: str) -> str:
        return json.dumps({"op": "ping", "pad": pad}, ensure_ascii=False)

    room = frames.MAX_FRAME - len(padded(""))
    assert isinstance(frames.parse(padded("x" * room)), frames.Ping)
    for pad in ("x" * (room + 1), "日" * (room // 2)):
        with pytest.raises(FrameTooBig):
            frames.parse(padded(pad))


def test_nesting_without_end_is_a_bad_frame() -> None:
    with pytest.raises(BadFrame):
        frames.parse("[" * 30_000)


def refusal(text: str) -> int | None:
    """Return the code with which a frame closes its socket; None when it is valid."""
    try:
        frames.parse(text)
    except NotifierError as exc:
        return exc.close_code
    return None


@given(
    st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5).map(json.dumps)
)
def test_no_text_raises_anything_but_our_own_errors(text: str) -> None:
    assert refusal(text) in (None, 4400, 1009)


@given(
    st.dictionaries(
        st.sampled_from(["op", "token", "after", "device", "seq", "ids", "through"]),
        st.none()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.text())
        | st.sampled_from(["ack", "read"]),
    )
)
def test_no_object_raises_anything_but_our_own_errors(frame: dict[str, Any]) -> None:
    assert refusal(json.dumps(frame)) in (None, 4400)


# ---------------------------------------------------------------------- what the server says

ENTRY = Entry(8, "alert", ID, "shop", 1_700_000_000_123, DATA, 3)
ITEM = Item(8, "alert", ID, "shop", 1_700_000_000_123, DATA, None, None)
AT = Snapshot(8, 3, {"tasks": 2}, window=[ITEM], seen=5, unseen=1)


def test_an_event_frame_has_the_promised_fields() -> None:
    assert loads(frames.event("u1", ENTRY)) == {
        "op": "event",
        "seq": 8,
        "event": "alert",
        "id": ID,
        "room": "user:u1",
        "from": "shop",
        "timestamp": 1_700_000_000_123,
        "data": DATA,
        "unread": 3,
    }


def test_a_plain_alert_pays_nothing_for_what_others_have() -> None:
    assert frames.event("u1", replace(ENTRY, data={"title": "t"})) == (
        b'{"op":"event","seq":8,"event":"alert","room":"user:u1","from":"shop","timestamp":1700000000123,'
        b'"data":{"title":"t"},"unread":3,"id":"' + ID.encode() + b'"}'
    )


def test_a_change_of_state_is_an_event_without_an_id() -> None:
    frame = loads(frames.event("u1", Entry(9, READ, None, "system", 1, {"ids": [ID]}, 2, inbox=False)))
    assert "id" not in frame
    assert (frame["op"], frame["event"], frame["data"]) == ("event", "inbox.read", {"ids": [ID]})
    assert (frame["seq"], frame["unread"]) == (9, 2)


def test_a_badge_event_has_no_more_than_its_type_and_count() -> None:
    data = {"type": "tasks", "count": 1}
    frame = loads(frames.event("u1", Entry(9, "badge", ID, "system", 1, data, 2, inbox=False)))
    assert frame["data"] == data
    assert set(frame) == {"op", "seq", "event", "id", "room", "from", "timestamp", "data", "unread"}


def test_a_defined_event_that_is_not_an_inbox_entry_says_so() -> None:
    assert (
        loads(frames.event("u1", Entry(9, "typing", ID, "system", 1, {}, 2, inbox=False)))["inbox"] is False
    )
    assert "inbox" not in loads(frames.event("u1", Entry(9, "order", ID, "system", 1, {}, 2)))


def test_an_item_frame_has_its_state_too() -> None:
    common = {
        "seq": 8,
        "event": "alert",
        "id": ID,
        "from": "shop",
        "timestamp": 1_700_000_000_123,
        "data": DATA,
    }
    state = {"read_at": None, "archived_at": None}
    assert loads(frames.item("u1", ITEM)) == {"op": "item", "room": "user:u1", **common, **state}
    assert frames.item_json(ITEM) == {**common, **state}


def test_welcome_reset_live_pong_and_error() -> None:
    assert loads(frames.welcome("u1", AT, 25.0)) == {
        "op": "welcome",
        "user_id": "u1",
        "seq": 8,
        "unread": 3,
        "badges": {"tasks": 2},
        "seen": 5,
        "unseen": 1,
        "ping_interval": 25.0,
        "ops": ["hello", "ack", "read", "unread", "archive", "seen", "snooze", "unsnooze", "auth", "ping"],
    }
    assert loads(frames.welcome("u1", AT, 25.0, 1_800_000_000.1236))["now"] == 1_800_000_000_124
    assert loads(frames.reset("behind", AT)) == {
        "op": "reset",
        "reason": "behind",
        "seq": 8,
        "unread": 3,
        "badges": {"tasks": 2},
        "seen": 5,
        "unseen": 1,
    }
    assert loads(frames.live(8)) == {"op": "live", "seq": 8}
    assert loads(frames.pong()) == {"op": "pong"}
    assert loads(frames.error("code", "message")) == {"op": "error", "code": "code", "message": "message"}


@pytest.mark.parametrize("frame", [{"op": "hello"}, {"op": "hello", "token": ""}])
def test_a_missing_token_is_a_missing_token_and_not_a_broken_frame(frame: dict[str, str]) -> None:
    """The session must close with 4401, as documented, and not with 4400."""
    parsed = frames.parse(json.dumps(frame))
    assert isinstance(parsed, frames.Hello | frames.Auth)
    assert parsed.token == ""
