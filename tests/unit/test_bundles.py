"""A bundle is the same events in one message, and a gateway that does not know bundles fetches them."""

from __future__ import annotations

import random

import pytest

from notifier.broker.bundles import MAX_EVENTS, bundle, unbundle
from notifier.broker.message import Message
from notifier.core.effects import Fetch, Send
from notifier.core.log import Snapshot
from notifier.core.session import Principal, Session


def message(user: str, seq: int, size: int = 20) -> Message:
    return Message(user, seq, f"{user}:{seq}".encode().ljust(size, b"."))


def opened(one: Message) -> list[Message]:
    """Return the events of a message, as a gateway takes them out."""
    before = unbundle(one.seq, one.before.decode() or None)
    earlier = [Message(one.user_id, seq, frame.encode()) for seq, frame in before]
    return [*earlier, Message(one.user_id, one.seq, one.body)]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_doubled_or_out_of_order(seed: int) -> None:
    chance = random.Random(seed)
    seqs = dict.fromkeys("abc", 0)
    sent = []
    for _ in range(500):
        user = chance.choice("abc")
        seqs[user] += chance.choice([1, 1, 1, 1, 1, 1, 2])  # 2: another transaction's entry is between them
        sent.append(message(user, seqs[user], chance.choice([20, 20, 3_000])))
    bundles = bundle(sent)
    assert len(bundles) < 300
    heard = [event for one in bundles for event in opened(one)]
    for user in "abc":
        assert [one for one in heard if one.user_id == user] == [one for one in sent if one.user_id == user]


def test_users_with_one_event_each_have_a_message_each() -> None:
    sent = [message(f"u{n}", 7) for n in range(10)]
    assert bundle(sent) == sent
    assert bundle(sent[:1]) == sent[:1]


def test_a_bundle_has_a_limit_in_events_and_in_bytes() -> None:
    assert len(bundle([message("u", seq) for seq in range(1, 2 * MAX_EVENTS + 1)])) == 2
    bundles = bundle([message("u", seq, 1_000) for seq in range(1, 101)], max_bytes=10_000)
    assert 5 < len(bundles) < 20
    assert max(len(one.before) for one in bundles) <= 10_000


@pytest.mark.parametrize("seq", [None, "7", 7])
@pytest.mark.parametrize("before", [None, 7, b"{}", {"a": 1}])
def test_a_header_that_is_not_ours_holds_nothing(seq: object, before: object) -> None:
    assert list(unbundle(seq, before)) == []


def test_a_gateway_that_does_not_know_bundles_fetches_what_was_before() -> None:
    session = Session(verify=lambda _token: Principal("u", 1e12), now=0.0)
    session.receive('{"op": "hello", "token": "t"}', 0.0)
    session.joined(Snapshot(head=4, unread=0, badges={}, log=[]))
    (last,) = bundle([message("u", seq) for seq in (5, 6, 7)])
    assert session.offer(last.seq, last.body)
    effects = session.take()
    assert not [one for one in effects if isinstance(one, Send)]
    assert [one for one in effects if isinstance(one, Fetch)] == [Fetch("u", 4)]
