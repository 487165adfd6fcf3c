"""The hub: one subscription for each user, shared by their sockets, and kept for a while after the last."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from notifier.broker.message import Message
from notifier.broker.subscription import Subscription
from notifier.core.errors import TooMany
from notifier.outbox.engine import Database, make_engine
from web.gateway.hub import Hub


@dataclass(eq=False)
class Ear:
    """A socket that keeps what it gets."""

    offered: list[tuple[int, bytes]] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)

    def offer(self, seq: int, frame: bytes) -> None:
        self.offered.append((seq, frame))

    def heard(self, head: int) -> None:
        self.heads.append(head)


class Subscribers:
    """A subscriber whose broker confirms at once, or is down."""

    def __init__(self, *, up: bool = True) -> None:
        self.up = up
        self.wanted: list[str] = []

    def subscribe(self, user_id: str) -> Subscription:
        self.wanted.append(user_id)
        subscription = Subscription(user_id)
        subscription.settle(self.up)
        return subscription

    def unsubscribe(self, user_id: str) -> None:
        self.wanted.remove(user_id)


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def subscriber() -> Subscribers:
    return Subscribers()


@pytest.fixture
def hub(subscriber: Subscribers, clock: Clock, tmp_path: Path) -> Hub:
    database = Database(make_engine(f"sqlite:///{tmp_path}/hub.db"))
    return Hub(subscriber, database, linger=10, sockets_per_user=2, clock=clock)


def test_every_socket_of_the_user_gets_it_and_no_other(hub: Hub, subscriber: Subscribers) -> None:
    first, second, other = Ear(), Ear(), Ear()
    for user, ear in (("u", first), ("u", second), ("v", other)):
        hub.join(user, ear)
    hub.deliver(Message("u", 1, b"hello"))
    assert first.offered == second.offered == [(1, b"hello")]
    assert other.offered == []
    assert subscriber.wanted == ["u", "v"]  # one subscription for each user


def test_a_message_for_nobody_here_is_dropped(hub: Hub) -> None:
    hub.deliver(Message("stranger", 1, b"hello"))


def test_an_empty_room_lingers_and_is_then_unsubscribed(
    hub: Hub, subscriber: Subscribers, clock: Clock
) -> None:
    ear = Ear()
    hub.join("u", ear)
    hub.leave("u", ear)
    clock.now = 9.9
    hub.reap()
    assert subscriber.wanted == ["u"]
    clock.now = 10.0
    hub.reap()
    assert subscriber.wanted == []


def test_a_page_change_within_the_linger_costs_the_broker_nothing(
    hub: Hub, subscriber: Subscribers, clock: Clock
) -> None:
    page, next_page = Ear(), Ear()
    hub.join("u", page)
    hub.leave("u", page)
    clock.now = 5.0
    hub.join("u", next_page)
    clock.now = 60.0
    hub.reap()
    hub.deliver(Message("u", 1, b"hello"))
    assert subscriber.wanted == ["u"]
    assert (page.offered, next_page.offered) == ([], [(1, b"hello")])


def test_one_socket_too_many_is_refused_and_the_others_stay(hub: Hub) -> None:
    ears = [Ear(), Ear()]
    for ear in ears:
        hub.join("u", ear)
    with pytest.raises(TooMany):
        hub.join("u", Ear())
    hub.deliver(Message("u", 1, b"hello"))
    assert [ear.offered for ear in ears] == [[(1, b"hello")]] * 2


def test_without_a_broker_a_socket_still_joins(clock: Clock, tmp_path: Path) -> None:
    database = Database(make_engine(f"sqlite:///{tmp_path}/hub.db"))
    hub = Hub(Subscribers(up=False), database, linger=10, sockets_per_user=2, clock=clock)
    ear = Ear()
    hub.join("u", ear)
    assert list(hub.sockets()) == [ear]


def test_a_database_that_is_away_only_puts_the_comparison_off(clock: Clock, tmp_path: Path) -> None:
    database = Database(make_engine(f"sqlite:///{tmp_path}"))  # a folder: it cannot be opened
    hub = Hub(Subscribers(), database, linger=10, sockets_per_user=2, clock=clock)
    ear = Ear()
    hub.join("u", ear)
    hub.compare_heads()
    assert ear.heads == []
