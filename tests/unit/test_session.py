"""The gateway's rules for one socket: every op, every close code, and the seq rule.

The frames of a session are compared one by one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core import frames
from notifier.core.effects import Acked, Change, Close, Effect, Fetch, Join, Send
from notifier.core.errors import Unauthenticated
from notifier.core.log import ARCHIVED, READ, UNREAD, Entry, Item, Snapshot
from notifier.core.session import BUFFER_BYTES, BUFFER_EVENTS, Phase, Principal, Session

USER = "u1"
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
BEGIN = 1_000.0
TOKEN_ENDS = BEGIN + 60


def verify(token: str) -> Principal:
    """Verify the tests' tokens: `user` or `user until 1060`."""
    user, _, until = token.partition(" until ")
    if user == "wrong":
        raise Unauthenticated("the token is not valid")
    return Principal(user, float(until or TOKEN_ENDS))


def entry(seq: int, unread: int = 0) -> Entry:
    return Entry(seq, "alert", f"id-{seq}", "system", 1, {"title": "t"}, unread)


def event(seq: int) -> bytes:
    """Return an event as the broker delivers it."""
    return frames.event(USER, entry(seq))


def item(seq: int) -> Item:
    return Item(seq, "alert", f"id-{seq}", "system", 1, {"title": "t"}, None, None)


def log(after: int, head: int) -> Snapshot:
    """Return SQL's answer to a client whose last seq is `after`."""
    return Snapshot(head, 0, {}, log=[entry(seq) for seq in range(after + 1, head + 1)])


def window(head: int, *seqs: int, reset: str | None = None) -> Snapshot:
    """Return SQL's answer to a client that starts without a position."""
    return Snapshot(head, len(seqs), {"tasks": 2}, reset, window=[item(seq) for seq in seqs])


@dataclass
class Socket:
    """A session with a client and a clock; every method returns the session's effects."""

    session: Session = field(default_factory=lambda: Session(verify, BEGIN))
    now: float = BEGIN

    def says(self, op: str, **fields: Any) -> list[Effect]:
        return self.session.receive(json.dumps({"op": op, **fields}), self.now)

    def passes(self, seconds: float) -> list[Effect]:
        self.now += seconds
        return self.session.tick(self.now)

    def brings(self, *seqs: int) -> list[Effect]:
        """Deliver events of the broker, in this order."""
        effects: list[Effect] = []
        for seq in seqs:
            if self.session.offer(seq, event(seq)):
                effects += self.session.take()
        return effects


def connected(at: Snapshot | None = None, after: int | None = 0, device: str | None = "phone") -> Socket:
    """Return a live socket, by default with an empty log."""
    socket = Socket()
    assert socket.says("hello", token=USER, after=after, device=device) == [Join(USER, after, device)]
    socket.session.joined(at or log(0, 0))
    assert socket.session.phase is Phase.LIVE
    return socket


def said(effects: Sequence[Effect]) -> list[str]:
    """Return effects in short form: `welcome 7`, `item 3`, `event 4`, `live 7`; others by name."""
    words = []
    for effect in effects:
        if isinstance(effect, Send):
            frame = json.loads(effect.frame)
            words.append(f"{frame['op']} {frame['seq']}" if "seq" in frame else frame["op"])
        elif isinstance(effect, Fetch):
            words.append(f"fetch after {effect.after}")
        elif isinstance(effect, Close):
            words.append(f"close {effect.code}")
        else:
            words.append(type(effect).__name__.lower())
    return words


# ---------------------------------------------------------------------- hello


def test_a_hello_joins_its_user_at_the_clients_seq() -> None:
    assert Socket().says("hello", token=USER, after=7, device="phone") == [Join(USER, 7, "phone")]
    assert Socket().says("hello", token=USER) == [Join(USER, None, None)]


def test_a_client_that_resumes_gets_welcome_its_log_and_live() -> None:
    socket = Socket()
    socket.says("hello", token=USER, after=2)
    assert said(socket.session.joined(log(2, 5))) == ["welcome 5", "event 3", "event 4", "event 5", "live 5"]


def test_a_client_that_is_up_to_date_gets_welcome_and_live() -> None:
    socket = Socket()
    socket.says("hello", token=USER, after=5)
    assert said(socket.session.joined(log(5, 5))) == ["welcome 5", "live 5"]


def test_a_fresh_client_gets_welcome_its_window_and_live_with_welcomes_seq() -> None:
    socket = Socket()
    socket.says("hello", token=USER)
    effects = socket.session.joined(window(9, 3, 7))
    assert said(effects) == ["welcome 9", "item 3", "item 7", "live 9"]


def test_a_welcome_tells_the_head_and_the_counts() -> None:
    socket = Socket(Session(verify, BEGIN, ping_interval=12.5))
    socket.says("hello", token=USER)
    welcome = socket.session.joined(window(9, 3, 7))[0]
    assert isinstance(welcome, Send)
    assert json.loads(welcome.frame) == {
        "op": "welcome",
        "user_id": USER,
        "seq": 9,
        "unread": 2,
        "badges": {"tasks": 2},
        "seen": 0,
        "unseen": 0,
        "ping_interval": 12.5,
        "ops": [*frames.OPS],
    }


@pytest.mark.parametrize("reason", ["behind", "ahead", "purged"])
def test_a_client_that_cannot_be_caught_up_gets_reset_and_a_fresh_window(reason: str) -> None:
    socket = Socket()
    socket.says("hello", token=USER, after=4)
    effects = socket.session.joined(window(2_000, 1_999, 2_000, reset=reason))
    assert said(effects) == ["welcome 2000", "reset 2000", "item 1999", "item 2000", "live 2000"]
    assert isinstance(effects[1], Send)
    assert json.loads(effects[1].frame)["reason"] == reason


def test_a_token_that_is_wrong_or_ended_closes_with_4401() -> None:
    assert said(Socket().says("hello", token="wrong")) == ["close 4401"]
    assert said(Socket().says("hello", token=f"{USER} until {BEGIN}")) == ["close 4401"]


def test_a_second_hello_closes_with_4400() -> None:
    assert said(connected().says("hello", token=USER)) == ["close 4400"]


@pytest.mark.parametrize("op", ["ping", "ack", "read", "unread", "archive", "auth"])
def test_anything_before_the_hello_closes_with_4400(op: str) -> None:
    fields = {"ack": {"seq": 0}, "auth": {"token": USER}}.get(op, {"ids": [ID]})
    assert said(Socket().says(op, **fields)) == ["close 4400"]


def test_no_hello_in_time_closes_with_4408() -> None:
    socket = Socket(Session(verify, BEGIN, hello_timeout=5))
    assert socket.session.deadline == BEGIN + 5
    assert socket.passes(4.9) == []
    assert said(socket.passes(0.1)) == ["close 4408"]


def test_an_op_while_sql_is_still_asked_is_served() -> None:
    socket = Socket()
    socket.says("hello", token=USER)
    assert said(socket.says("ping")) == ["pong"]


# ---------------------------------------------------------------------- ops


def test_a_ping_is_answered() -> None:
    assert said(connected().says("ping")) == ["pong"]


def test_changes_of_state_are_returned_as_effects() -> None:
    socket = connected()
    assert socket.says("read", ids=[ID]) == [Change(READ, [ID], None)]
    assert socket.says("read", through=7) == [Change(READ, None, 7)]
    assert socket.says("unread", ids=[ID]) == [Change(UNREAD, [ID], None)]
    assert socket.says("archive", ids=[ID]) == [Change(ARCHIVED, [ID], None)]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", 4400),
        ("not JSON", 4400),
        ("[]", 4400),
        ('{"op":"shout"}', 4400),
        ('{"op":"ack","seq":-1}', 4400),
        ('{"op":"read","ids":[],"through":1}', 4400),
        (b'{"op":"ping"}', 4400),
        ('{"op":"ping","pad":"' + "x" * 65_536 + '"}', 1009),
    ],
)
@pytest.mark.parametrize("live", [True, False])
def test_a_frame_outside_the_protocol_closes(frame: str | bytes, code: int, live: bool) -> None:
    socket = connected() if live else Socket()
    assert said(socket.session.receive(frame, BEGIN)) == [f"close {code}"]


def test_nothing_follows_a_close() -> None:
    socket = connected()
    socket.brings(3)  # a gap: a fetch is under way
    assert said(socket.session.close(4410, "too slow")) == ["close 4410"]
    assert socket.session.close(1012, "again") == []
    assert socket.says("ping") == []
    assert socket.brings(1, 2, 3) == []
    assert socket.passes(1_000_000) == []
    assert socket.session.joined(log(0, 3)) == []
    assert socket.session.fetched(log(0, 3)) == []
    assert socket.session.take() == []
    assert not socket.session.heard(9)
    assert socket.session.phase is Phase.CLOSED


def test_a_socket_closed_while_it_joins_stays_closed() -> None:
    socket = Socket()
    socket.says("hello", token=USER)
    socket.session.close(1012, "restart")
    assert socket.session.joined(log(0, 3)) == []


# ---------------------------------------------------------------------- acks


def test_an_ack_covers_the_log_since_the_one_before() -> None:
    socket = connected(log(2, 5), after=2)
    assert socket.says("ack", seq=4) == [Acked(window_from=3, log_from=2, after=2, through=4)]
    assert socket.says("ack", seq=5) == [Acked(window_from=3, log_from=2, after=4, through=5)]


def test_the_first_ack_of_a_fresh_client_covers_its_window() -> None:
    socket = connected(window(9, 3, 7), after=None)
    assert socket.says("ack", seq=9) == [Acked(window_from=3, log_from=9, after=0, through=9)]


def test_an_empty_window_covers_nothing_but_what_comes_after_it() -> None:
    socket = connected(window(9), after=None)
    socket.brings(10)
    assert socket.says("ack", seq=10) == [Acked(window_from=10, log_from=9, after=0, through=10)]


def test_a_repeated_or_late_ack_changes_nothing() -> None:
    socket = connected(log(0, 5))
    socket.says("ack", seq=4)
    assert socket.says("ack", seq=4) == []
    assert socket.says("ack", seq=2) == []
    assert socket.says("ack", seq=0) == []


def test_an_ack_ahead_of_what_was_sent_is_an_error_and_no_ack() -> None:
    socket = connected(log(0, 5))
    effects = socket.says("ack", seq=6)
    assert said(effects) == ["error"]
    assert isinstance(effects[0], Send)
    assert json.loads(effects[0].frame)["code"] == "ack_ahead"
    assert socket.says("ack", seq=5) == [Acked(1, 0, 0, 5)]


def test_an_ack_before_anything_was_sent_is_ahead() -> None:
    socket = Socket()
    socket.says("hello", token=USER, after=0)
    assert said(socket.says("ack", seq=1)) == ["error"]


def test_what_was_sent_before_a_reset_can_still_be_acked_after_it() -> None:
    socket = connected(log(0, 5))
    socket.says("ack", seq=2)
    socket.session.heard(2_000)
    socket.session.take()
    socket.session.joined(window(2_000, 1_999, 2_000, reset="behind"))
    before, since = {"window_from": 1, "log_from": 0}, {"window_from": 1_999, "log_from": 2_000}
    assert socket.says("ack", seq=4) == [
        Acked(**before, after=2, through=4),
        Acked(**since, after=0, through=4),
    ]
    assert socket.says("ack", seq=2_000) == [
        Acked(**before, after=4, through=5),
        Acked(**since, after=4, through=2_000),
    ]
    assert socket.says("ack", seq=2_000) == []


# ---------------------------------------------------------------------- the seq rule


def test_the_next_event_is_sent() -> None:
    socket = connected(log(0, 2))
    assert said(socket.brings(3, 4)) == ["event 3", "event 4"]


def test_an_event_is_sent_as_the_broker_brought_it() -> None:
    assert connected().brings(1) == [Send(event(1))]


def test_a_doubled_event_is_dropped() -> None:
    socket = connected(log(0, 2))
    assert said(socket.brings(2, 1, 3, 3, 2, 4)) == ["event 3", "event 4"]


def test_a_gap_is_fetched_and_closed() -> None:
    socket = connected(log(0, 2))
    assert said(socket.brings(5)) == ["fetch after 2"]
    assert said(socket.session.fetched(log(2, 5))) == ["event 3", "event 4", "event 5"]
    assert said(socket.brings(6)) == ["event 6"]


def test_a_gap_is_fetched_once_while_more_comes() -> None:
    socket = connected()
    assert said(socket.brings(3, 4, 5)) == ["fetch after 0"]
    assert said(socket.session.fetched(log(0, 3))) == ["event 1", "event 2", "event 3", "event 4", "event 5"]


def test_swapped_events_come_in_order() -> None:
    socket = connected()
    assert said(socket.brings(2, 1)) == ["fetch after 0"]
    assert said(socket.session.fetched(log(0, 2))) == ["event 1", "event 2"]
    assert socket.brings(2, 1) == []


def test_what_was_committed_after_the_fetch_was_asked_is_sent_once() -> None:
    socket = connected()
    socket.brings(3)
    assert said(socket.session.fetched(log(0, 7))) == [f"event {seq}" for seq in range(1, 8)]
    assert socket.brings(4, 5, 6, 7) == []


def test_a_gap_behind_a_gap_is_fetched_next() -> None:
    socket = connected()
    assert said(socket.brings(2, 9)) == ["fetch after 0"]
    first = said(socket.session.fetched(Snapshot(9, 0, {}, log=[entry(1), entry(2)])))
    assert first == ["event 1", "event 2", "fetch after 2"]
    assert said(socket.session.fetched(log(2, 9))) == [f"event {seq}" for seq in range(3, 10)]


def test_a_fetch_that_failed_is_requested_again() -> None:
    socket = connected()
    socket.brings(3)
    assert socket.session.take() == []
    socket.session.failed()
    assert said(socket.session.take()) == ["fetch after 0"]
    assert said(socket.session.fetched(log(0, 3))) == ["event 1", "event 2", "event 3"]


def test_events_that_come_while_sql_is_read_fit_in_without_a_double() -> None:
    socket = Socket()
    socket.says("hello", token=USER, after=0)
    assert socket.brings(2, 3, 4) == []
    effects = socket.session.joined(log(0, 3))
    assert said(effects) == ["welcome 3", "event 1", "event 2", "event 3", "live 3", "event 4"]


def test_an_event_far_after_the_snapshot_is_fetched_right_after_live() -> None:
    socket = Socket()
    socket.says("hello", token=USER)
    socket.brings(12)
    assert said(socket.session.joined(window(9))) == ["welcome 9", "live 9", "fetch after 9"]
    assert said(socket.session.fetched(log(9, 12))) == ["event 10", "event 11", "event 12"]


def test_nothing_is_sent_before_the_hello() -> None:
    socket = Socket()
    assert socket.brings(1) == []
    assert not socket.session.heard(7)


def test_events_that_the_broker_lost_are_fetched() -> None:
    socket = connected(log(0, 2))
    assert not socket.session.heard(2)
    assert socket.session.heard(4)
    assert said(socket.session.take()) == ["fetch after 2"]
    assert said(socket.session.fetched(log(2, 4))) == ["event 3", "event 4"]


def test_a_seq_that_sql_never_knew_is_forgotten_once_asked_for() -> None:
    socket = connected(log(0, 2))
    assert said(socket.brings(1_000_000)) == ["fetch after 2"]
    assert socket.session.fetched(log(2, 2)) == []
    assert said(socket.brings(3)) == ["event 3"]
    assert socket.session.take() == []


def test_a_seq_that_sql_never_knew_does_not_hold_up_what_came_meanwhile() -> None:
    socket = connected(log(0, 2))
    socket.brings(1_000_000)
    assert socket.brings(4, 3) == []
    assert said(socket.session.fetched(log(2, 2))) == ["fetch after 2"]
    assert said(socket.session.fetched(log(2, 4))) == ["event 3", "event 4"]


def test_a_seq_that_sql_never_knew_is_not_believed_while_joining() -> None:
    socket = Socket()
    socket.says("hello", token=USER)
    socket.brings(1_000_000)
    assert said(socket.session.joined(window(9))) == ["welcome 9", "live 9", "fetch after 9"]
    assert socket.session.fetched(log(9, 9)) == []
    assert said(socket.brings(10)) == ["event 10"]


def test_an_answer_with_a_gap_never_causes_one_on_the_socket() -> None:
    socket = connected()
    socket.brings(4)
    assert said(socket.session.fetched(Snapshot(4, 0, {}, log=[entry(1), entry(3), entry(4)]))) == [
        "event 1",
        "fetch after 1",
    ]


def test_a_socket_that_fell_too_far_behind_is_reset_without_a_second_welcome() -> None:
    socket = connected(log(0, 2))
    socket.session.heard(2_000)
    assert said(socket.session.take()) == ["fetch after 2"]
    effects = socket.session.joined(window(2_000, 1_999, 2_000, reset="behind"))
    assert said(effects) == ["reset 2000", "item 1999", "item 2000", "live 2000"]
    assert said(socket.brings(2_000, 2_001)) == ["event 2001"]


# ---------------------------------------------------------------------- another history


def test_a_head_before_what_was_sent_is_checked_and_may_be_stale() -> None:
    socket = connected(log(0, 5))
    assert socket.session.heard(3)
    assert said(socket.session.take()) == ["fetch after 5"]
    assert socket.session.fetched(log(5, 5)) == []
    assert socket.session.take() == []
    assert said(socket.brings(6)) == ["event 6"]


def test_a_log_that_ends_before_what_was_sent_resets_the_socket_once() -> None:
    socket = connected(log(0, 40))
    socket.session.heard(38)
    assert said(socket.session.take()) == ["fetch after 40"]
    effects = socket.session.joined(window(38, 37, 38, reset="ahead"))
    assert said(effects) == ["reset 38", "item 37", "item 38", "live 38"]
    assert not socket.session.heard(38)
    assert said(socket.brings(39, 40)) == ["event 39", "event 40"]


def test_a_doubt_that_sql_could_not_answer_is_asked_again() -> None:
    socket = connected(log(0, 5))
    socket.session.heard(3)
    socket.session.take()
    socket.session.failed()
    assert said(socket.session.take()) == ["fetch after 5"]


def test_what_the_broker_still_carries_of_a_lost_log_is_dropped() -> None:
    socket = connected(log(0, 40))
    socket.brings(43)  # a gap: 41 and 42 were lost with the old primary, and so was it
    socket.session.joined(window(1_000, 37, 38, reset="restored"))
    assert socket.brings(41, 42, 43) == []
    assert said(socket.brings(1_001)) == ["event 1001"]


def test_an_event_beyond_a_base_is_a_gap_and_then_part_of_the_window() -> None:
    socket = connected(log(0, 38))
    assert said(socket.brings(1_001, 1_002)) == ["fetch after 38"]
    effects = socket.session.joined(window(1_002, 38, 1_001, 1_002, reset="restored"))
    assert said(effects) == ["reset 1002", "item 38", "item 1001", "item 1002", "live 1002"]
    assert said(socket.brings(1_003)) == ["event 1003"]


# ---------------------------------------------------------------------- the buffer is bounded


def test_a_buffer_that_runs_over_is_dropped_and_read_from_sql_again() -> None:
    socket = connected()
    many = BUFFER_EVENTS + 44
    assert said(socket.brings(*range(2, many + 1))) == ["fetch after 0"]
    assert socket.session.overflows == 1
    assert len(socket.session._buffer) <= BUFFER_EVENTS
    sent = said(socket.session.fetched(log(0, 10)))
    sent += said(socket.session.fetched(log(10, many)))
    assert sent == [f"event {seq}" for seq in range(1, 11)] + ["fetch after 10"] + [
        f"event {seq}" for seq in range(11, many + 1)
    ]


def test_large_frames_run_it_over_by_their_bytes() -> None:
    socket = connected()
    large = b"x" * (BUFFER_BYTES // 4)
    for seq in range(2, 12):
        assert socket.session.offer(seq, large)
        assert socket.session._buffered <= BUFFER_BYTES
        assert socket.session._buffered == sum(len(frame) for _, frame in socket.session._buffer)
    assert socket.session.overflows == 2


def test_a_buffer_that_runs_over_while_joining_loses_nothing() -> None:
    socket = Socket()
    socket.says("hello", token=USER, after=0)
    many = BUFFER_EVENTS + 1
    assert socket.brings(*range(1, many + 1)) == []
    assert said(socket.session.joined(log(0, 0))) == ["welcome 0", "live 0", "fetch after 0"]
    assert said(socket.session.fetched(log(0, many))) == [f"event {seq}" for seq in range(1, many + 1)]


def test_the_bytes_are_counted_down_as_frames_leave() -> None:
    socket = connected()
    socket.brings(2, 3, 5)
    socket.session.fetched(log(0, 3))
    assert socket.session._buffered == sum(len(frame) for _, frame in socket.session._buffer)
    socket.session.close(1012, "")
    assert socket.session._buffered == 0


# ---------------------------------------------------------------------- tokens and rates


def test_the_end_of_its_token_closes_with_4401() -> None:
    socket = connected()
    assert socket.session.deadline == TOKEN_ENDS
    assert socket.passes(TOKEN_ENDS - BEGIN - 0.1) == []
    assert said(socket.passes(0.1)) == ["close 4401"]


def test_a_token_that_ends_while_sql_is_asked_closes_too() -> None:
    socket = Socket()
    socket.says("hello", token=USER)
    assert said(socket.passes(61)) == ["close 4401"]


def test_a_fresh_token_keeps_the_socket_open() -> None:
    socket = connected()
    assert socket.says("auth", token=f"{USER} until {TOKEN_ENDS + 60}") == []
    assert socket.passes(TOKEN_ENDS - BEGIN + 1) == []
    assert said(socket.passes(60)) == ["close 4401"]


@pytest.mark.parametrize("token", ["wrong", "u2", f"{USER} until {BEGIN}"])
def test_a_fresh_token_that_is_wrong_another_users_or_ended_closes_with_4401(token: str) -> None:
    socket = connected()
    assert said(socket.says("auth", token=token)) == ["close 4401"]
    assert socket.session.user_id == USER


def test_too_many_frames_close_with_4429() -> None:
    socket = Socket(Session(verify, BEGIN, frames_per_second=10))
    socket.says("hello", token=USER)
    answers = [said(socket.says("ping")) for _ in range(20)]
    assert answers == [["pong"]] * 19 + [["close 4429"]]


def test_frames_that_end_no_message_count_as_well() -> None:
    session = Session(verify, BEGIN, frames_per_second=10)
    answers = [said(session.receive(None, BEGIN)) for _ in range(22)]
    assert answers == [[]] * 20 + [["close 4429"], []]


def test_the_promised_rate_is_never_too_many() -> None:
    socket = Socket(Session(verify, BEGIN, frames_per_second=10))
    socket.says("hello", token=f"{USER} until {BEGIN + 1_000}")
    for _ in range(200):
        socket.now += 0.1
        assert said(socket.says("ping")) == ["pong"]


def test_a_clock_that_steps_back_closes_no_socket() -> None:
    socket = connected()
    socket.now -= 30
    assert said(socket.says("ping")) == ["pong"]
    socket.now += 30
    assert said(socket.says("ping")) == ["pong"]


def test_bad_frames_count_as_frames_too() -> None:
    socket = Socket(Session(verify, BEGIN, frames_per_second=1))
    socket.says("hello", token=USER)
    socket.says("ping")
    assert said(socket.session.receive("x" * 100_000, BEGIN)) == ["close 4429"]


# ---------------------------------------------------------------------- acks and the rate


def acks(socket: Socket, *seqs: int) -> list[Effect]:
    return [effect for seq in seqs for effect in socket.says("ack", seq=seq)]


def heard(effects: Sequence[Effect]) -> list[str]:
    """Return what the client gets."""
    return [word for word in said(effects) if word != "acked"]


def quick() -> Socket:
    """Return a live socket that may send ten frames at once, of which the hello was one."""
    socket = Socket(Session(verify, BEGIN, frames_per_second=5))
    socket.says("hello", token=USER, after=0)
    socket.session.joined(log(0, 0))
    return socket


def test_acking_each_event_of_a_crowd_is_not_too_many() -> None:
    socket = quick()
    socket.brings(*range(1, 1_001))
    effects = acks(socket, *range(1, 1_001))
    assert [effect.through for effect in effects if isinstance(effect, Acked)] == list(range(1, 1_001))
    assert heard(effects) == []


def test_nor_is_acking_each_event_of_a_replay_or_each_item_of_a_window() -> None:
    socket = Socket(Session(verify, BEGIN, frames_per_second=5))
    socket.says("hello", token=USER, after=0)
    socket.session.joined(log(0, 500))
    assert heard(acks(socket, *range(1, 501))) == []
    socket = Socket(Session(verify, BEGIN, frames_per_second=5))
    socket.says("hello", token=USER, after=None)
    socket.session.joined(window(200, *range(101, 151)))
    assert heard(acks(socket, *range(101, 151))) == []


def test_acks_that_do_not_move_forward_count() -> None:
    socket = quick()
    socket.brings(*range(1, 101))
    assert heard(acks(socket, 50)) == []
    assert heard(acks(socket, *[50] * 10)) == ["close 4429"]


def test_acks_ahead_of_what_was_sent_count() -> None:
    socket = quick()
    socket.brings(1)
    assert heard(acks(socket, *range(2, 12)))[-1] == "close 4429"


def test_free_acks_are_no_more_than_what_was_sent() -> None:
    """Given a window of two far up the log, when a client acks each seq below it, most of them count."""
    socket = Socket(Session(verify, BEGIN, frames_per_second=5))
    socket.says("hello", token=USER, after=None)
    socket.session.joined(window(1_000, 990, 1_000))
    assert heard(acks(socket, *range(1, 13)))[-1] == "close 4429"


def test_acks_leave_the_rate_of_all_else_as_it_is() -> None:
    socket = quick()
    socket.brings(*range(1, 101))
    acks(socket, *range(1, 101))
    assert heard([effect for _ in range(9) for effect in socket.says("ping")]) == ["pong"] * 9
    assert heard(socket.says("ping")) == ["close 4429"]


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("brings"), st.integers(1, 300)),
            st.tuples(st.just("acks"), st.integers(1, 300)),
            st.tuples(st.just("passes"), st.floats(0, 2)),
        ),
        max_size=40,
    )
)
def test_a_client_that_acks_each_event_once_is_never_closed(steps: list[tuple[str, float]]) -> None:
    socket, acked = quick(), 0
    for step, amount in steps:
        if step == "passes":
            socket.now += amount
        elif step == "brings":
            sent = socket.session.sent
            socket.brings(*range(sent + 1, sent + 1 + int(amount)))
        else:
            for _ in range(int(amount)):
                if acked < socket.session.sent:
                    acked += 1
                    assert heard(acks(socket, acked)) == []


@given(
    sent=st.integers(0, 60),
    said_seqs=st.lists(st.integers(0, 80), max_size=400),
)
def test_free_acks_never_exceed_what_was_sent(sent: int, said_seqs: list[int]) -> None:
    socket, taken = quick(), 0
    socket.brings(*range(1, sent + 1))
    for seq in said_seqs:
        if "close 4429" in heard(acks(socket, seq)):
            break
        taken += 1
    assert taken <= 9 + sent
