"""docs/contract.md, section 6: hello, window, live, replay, reset."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness.plain_socket import PROTOCOL
from tests.harness.site import Site

EVENT = {"op", "seq", "event", "id", "room", "from", "timestamp", "data", "unread"}
ITEM = EVENT - {"unread"} | {"read_at", "archived_at"}
CHANGE = EVENT - {"id"}


def test_an_empty_inbox_is_welcomed_and_live(site: Site, user: str) -> None:
    with site.open() as socket:
        assert socket.raw.subprotocol == PROTOCOL
        welcome = socket.hello(site.backend.token(user))
        assert welcome.pop("ping_interval") > 0
        assert abs(welcome.pop("now") - time.time() * 1000) < 5_000
        assert set(welcome.pop("ops")) >= {"hello", "ack", "read", "seen", "snooze", "ping"}
        assert welcome == {
            "op": "welcome", "user_id": user, "seq": 0, "unread": 0, "badges": {}, "seen": 0, "unseen": 0,
        }  # fmt: skip
        assert socket.next() == {"op": "live", "seq": 0}


def test_an_alert_arrives_live_with_all_its_fields(site: Site, user: str) -> None:
    data = {
        "title": "Order Shipped", "message": "日本 🚚\n" + "x" * 3990, "type": "success",
        "action": {"label": "Track Order", "url": "/orders/7/track"},
    }  # fmt: skip
    with site.socket(user) as socket:
        before = time.time() * 1000
        identity = site.api.send(user, data).json["id"]
        event = socket.expect("event", seq=1, event="alert", id=identity, room=f"user:{user}", unread=1)
    assert set(event) == EVENT
    assert event["data"] == data
    assert isinstance(event["from"], str)
    assert before - 1000 <= event["timestamp"] <= time.time() * 1000 + 1000
    assert isinstance(event["timestamp"], int)


def test_seqs_count_up_by_one_in_the_order_of_sending(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        sent = [site.send(user, f"number {number}") for number in range(20)]
        events = [socket.expect("event") for _ in sent]
    assert [event["seq"] for event in events] == list(range(1, 21))
    assert [event["id"] for event in events] == sent
    assert [event["unread"] for event in events] == list(range(1, 21))


def test_hello_without_a_seq_gets_the_window_of_unread_items(site: Site, user: str) -> None:
    sent = [site.send(user, f"number {number}") for number in range(4)]
    site.arrived(user, 4)
    with site.user(user) as api:
        api.read([sent[1]])
        api.archive([sent[2]])
    with site.open() as socket:
        frames = socket.enter(site.backend.token(user))
        assert frames[0]["seq"] == frames[-1]["seq"] == 6
        assert frames[0]["unread"] == 2
        assert [frame["op"] for frame in frames[1:-1]] == ["item", "item"]
        assert [frame["id"] for frame in frames[1:-1]] == [sent[0], sent[3]]
        assert [frame["seq"] for frame in frames[1:-1]] == [1, 4]
        assert all(set(frame) == ITEM for frame in frames[1:-1])
        assert all(frame["read_at"] is None is frame["archived_at"] for frame in frames[1:-1])
        site.send(user)
        socket.expect("event", seq=7, unread=3)


def test_the_window_holds_the_fifty_newest_unread_oldest_first(site: Site, user: str) -> None:
    sent = [site.send(user, f"number {number}") for number in range(60)]
    site.arrived(user, 60)
    with site.user(user) as api:
        api.read([sent[30]])
    with site.open() as socket:
        frames = socket.enter(site.backend.token(user))
    assert frames[0]["unread"] == 59
    assert [frame["id"] for frame in frames[1:-1]] == [sent[n] for n in range(9, 60) if n != 30]
    assert frames[-1] == {"op": "live", "seq": 61}


def test_hello_with_a_seq_gets_every_event_after_it(site: Site, user: str) -> None:
    sent = [site.send(user) for _ in range(6)]
    site.arrived(user, 6)
    for after in (0, 3, 6):
        with site.open() as socket:
            frames = socket.enter(site.backend.token(user), after)
        assert frames[0]["seq"] == 6
        assert [frame["op"] for frame in frames[1:-1]] == ["event"] * (6 - after)
        assert [frame["id"] for frame in frames[1:-1]] == sent[after:]
        assert [frame["unread"] for frame in frames[1:-1]] == list(range(after + 1, 7))
        assert all(set(frame) == EVENT for frame in frames[1:-1])
        assert frames[-1] == {"op": "live", "seq": 6}


def test_replay_and_live_are_the_same_frames(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        first = site.send(user)
        site.api.badge(user, "tasks", 5)
        site.arrived(user, 2)
        with site.user(user) as api:
            api.read([first])
            api.unread([first])
            api.archive([first])
        seen_live = [socket.expect("event") for _ in range(5)]
    with site.open() as socket:
        replayed = socket.enter(site.backend.token(user), 0)[1:-1]
    assert replayed == seen_live


def test_a_seq_beyond_the_head_is_reset(site: Site, user: str) -> None:
    kept = site.send(user)
    site.arrived(user, 1)
    site.api.badge(user, "messages", 3)
    site.arrived(user, 2)
    with site.open() as socket:
        welcome, reset, item, live = socket.enter(site.backend.token(user), 3)
        assert welcome["seq"] == 2
        assert reset.pop("reason")
        assert reset == {
            "op": "reset", "seq": 2, "unread": 1, "badges": {"messages": 3}, "seen": 0, "unseen": 1,
        }  # fmt: skip
        assert (item["op"], item["id"]) == ("item", kept)
        assert live == {"op": "live", "seq": 2}
        site.send(user)
        socket.expect("event", seq=3, unread=2)


def test_a_thousand_behind_is_replayed_and_one_more_is_reset(site: Site, user: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert {
            answer.status for answer in threads.map(lambda n: site.api.badge(user, "tasks", n), range(1001))
        } == {202}
    site.arrived(user, 1001, seconds=60)
    with site.open() as socket:
        frames = socket.enter(site.backend.token(user), 1)
        assert [frame["seq"] for frame in frames[1:-1]] == list(range(2, 1002))
    with site.open() as socket:
        frames = socket.enter(site.backend.token(user), 0)
        assert [frame["op"] for frame in frames] == ["welcome", "reset", "live"]
        assert frames[-1]["seq"] == 1001


def test_a_cut_connection_resumes_without_a_gap_or_a_double(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        first = site.send(user)
        socket.expect("event", seq=1, id=first)
        socket.raw.socket.close()
    missed = [site.send(user), site.send(user)]
    with site.open() as socket:
        site.arrived(user, 3)
        frames = socket.enter(site.backend.token(user), 1)
        assert [frame.get("id") for frame in frames[1:-1]] == missed
        last = site.send(user)
        socket.expect("event", seq=4, id=last)


def test_every_socket_of_a_user_gets_each_event_and_nobody_else_does(
    site: Site, user: str, other: str
) -> None:
    with site.socket(user) as one, site.socket(user) as two, site.socket(other) as stranger:
        sent = [site.send(user) for _ in range(3)]
        for socket in (one, two):
            assert [socket.expect("event")["id"] for _ in sent] == sent
        stranger.nothing_before_pong()
        theirs = site.send(other)
        stranger.expect("event", seq=1, id=theirs, room=f"user:{other}", unread=1)
        one.nothing_before_pong()


def test_a_send_to_many_reaches_each_once(site: Site, user: str, other: str) -> None:
    with site.socket(user) as one, site.socket(other) as two:
        answer = site.api.send_many([user, other])
        assert answer.json["recipients"] == 2
        for socket in (one, two):
            socket.expect("event", seq=1, id=answer.json["id"], unread=1)
            socket.nothing_before_pong()


def test_sends_to_many_keep_their_order(site: Site, user: str, other: str) -> None:
    """Promise 8 does not cover a send to many and a single one, but it covers two sends to many."""
    with site.socket(user) as socket:
        crowd = [f"{user}-neighbour-{number}" for number in range(2500)]
        sent = [site.api.send_many(audience).json["id"] for audience in ([*crowd, user], [user, other])]
        assert [socket.expect("event", seconds=30)["id"] for _ in sent] == sent


def test_a_badge_takes_a_seq_and_is_not_an_inbox_entry(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        site.send(user)
        socket.expect("event", seq=1, unread=1)
        identity = site.api.badge(user, "messages", 2_147_483_647).json["id"]
        event = socket.expect("event", seq=2, event="badge", id=identity, unread=1)
        assert event["data"] == {"type": "messages", "count": 2_147_483_647}
        assert set(event) == EVENT
        site.api.badge(user, "messages", 0)
        socket.expect("event", seq=3, event="badge", unread=1)
        site.api.badge(user, "tasks", 4)
        socket.expect("event", seq=4, event="badge", unread=1)
    with site.open() as socket:
        frames = socket.enter(site.backend.token(user))
    assert frames[0]["badges"] == {"messages": 0, "tasks": 4}
    assert [frame["op"] for frame in frames] == ["welcome", "item", "live"]


@pytest.mark.parametrize("way", ["socket", "http"])
def test_changes_of_state_are_events_on_every_socket(site: Site, user: str, way: str) -> None:
    with site.socket(user) as one, site.socket(user) as two, site.user(user) as api:
        ids = [site.send(user) for _ in range(5)]
        for socket in (one, two):
            for _ in ids:
                socket.expect("event")

        def change(op: str, **what: Any) -> None:
            if way == "socket":
                one.send(op=op, **what)
            else:
                assert api.post(f"/api/inbox/{op}", what).status == 200

        steps: list[tuple[str, str, dict[str, Any], int]] = [
            ("read", "inbox.read", {"ids": [ids[0]]}, 4),
            ("unread", "inbox.unread", {"ids": [ids[0]]}, 5),
            ("archive", "inbox.archived", {"ids": [ids[1]], "why": "user"}, 4),
            ("read", "inbox.read", {"through": 3}, 2),
        ]
        for number, (op, name, what, unread) in enumerate(steps):
            change(op, **{name: value for name, value in what.items() if name != "why"})
            for socket in (one, two):
                event = socket.expect("event", seq=6 + number, event=name, data=what, unread=unread)
                assert set(event) == CHANGE


def test_a_change_of_another_users_entries_changes_nothing(site: Site, user: str, other: str) -> None:
    theirs = site.send(other)
    mine = site.send(user)
    for one in (user, other):
        site.arrived(one, 1)
    with site.socket(user) as socket, site.socket(other) as stranger:
        for op in ("read", "archive", "unread"):
            socket.send(op=op, ids=[theirs])
        socket.send(op="read", ids=[mine])
        socket.expect("event", event="inbox.read", data={"ids": [mine]}, unread=0)
        stranger.nothing_before_pong()
    with site.user(other) as api:
        assert api.inbox().json["unread"] == 1


def test_ping_is_answered_by_pong(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        for _ in range(3):
            socket.send(op="ping")
            assert socket.next() == {"op": "pong"}


def test_deflate_is_not_negotiated(site: Site, user: str) -> None:
    from tests.harness.plain_socket import Socket

    with Socket(site.backend.ws_url, deflate=True) as socket:
        assert socket.raw.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.raw.response.headers
        socket.enter(site.backend.token(user))


def test_a_fragmented_frame_is_one_frame(site: Site, user: str) -> None:
    text = json.dumps({"op": "hello", "token": site.backend.token(user), "after": None})
    with site.open() as socket:
        socket.raw.send([text[:5], text[5:40], text[40:]])
        socket.expect("welcome", user_id=user)
