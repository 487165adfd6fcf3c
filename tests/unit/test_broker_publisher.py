"""The publisher's rules about broken connections, over a fake broker."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from notifier.broker import Message, Publisher
from notifier.broker.amqp_publish import BrokerRefused
from notifier.core.errors import BrokerUnavailable
from notifier.settings import Settings

ONE = [Message("ada", 1, b"{}")]


class Broker:
    """Opens links; `down` refuses, each entry of `failures` breaks one send."""

    def __init__(self) -> None:
        self.down = False
        self.failures: list[Exception] = []
        self.opened = 0
        self.sent: list[Message] = []
        self.ends: list[str] = []
        self.now = 100.0

    def open(self, _deadline: float) -> Link:
        if self.down:
            raise ConnectionRefusedError("down")
        self.opened += 1
        return Link(self)

    def publisher(self, timeout: float = 5.0) -> Publisher:
        settings = Settings(_env_file=None)
        return Publisher(settings, timeout=timeout, clock=lambda: self.now, opener=self.open)


class Link:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    def send(self, messages: Sequence[Message], deadline: float) -> None:
        if self.broker.failures:
            raise self.broker.failures.pop(0)
        self.broker.sent += messages

    def close(self) -> None:
        self.broker.ends.append("close")

    def drop(self) -> None:
        self.broker.ends.append("drop")

    def forget(self) -> None:
        self.broker.ends.append("forget")


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_one_connection_serves_many_publishes(broker: Broker) -> None:
    publisher = broker.publisher()
    assert broker.opened == 0
    publisher.publish([])
    assert broker.opened == 0
    publisher.publish(ONE)
    publisher.publish(ONE)
    assert (broker.opened, broker.sent) == (1, ONE * 2)
    publisher.close()
    publisher.close()
    assert broker.ends == ["close"]
    publisher.publish(ONE)
    assert broker.opened == 2


def test_a_refusal_costs_only_those_whom_it_concerns(broker: Broker) -> None:
    """A node with a gateway's queues has just died: the connection works, and the next burst is sent."""
    publisher = broker.publisher()
    for opened in (1, 1):  # the first time over a new connection, then over the kept one
        broker.failures = [BrokerRefused("the broker refused 1 messages")]
        with pytest.raises(BrokerUnavailable, match="refused"):
            publisher.publish(ONE)
        publisher.publish(ONE)
        assert (broker.opened, broker.ends) == (opened, [])
    assert broker.sent == ONE * 2


def test_a_stale_connection_is_replaced_within_the_call(broker: Broker) -> None:
    publisher = broker.publisher()
    publisher.publish(ONE)
    broker.failures = [ConnectionResetError("stale")]
    publisher.publish(ONE)
    assert (broker.opened, broker.ends, len(broker.sent)) == (2, ["drop"], 2)


def test_a_new_connection_that_fails_is_not_tried_again(broker: Broker) -> None:
    publisher = broker.publisher()
    broker.failures = [ConnectionResetError("at once")]
    with pytest.raises(BrokerUnavailable) as caught:
        publisher.publish(ONE)
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    assert (broker.opened, broker.ends) == (1, ["drop"])


def test_after_a_failure_nothing_is_tried_for_a_second(broker: Broker) -> None:
    publisher = broker.publisher()
    broker.down = True
    with pytest.raises(BrokerUnavailable):
        publisher.publish(ONE)
    broker.down = False
    broker.now += 0.99
    with pytest.raises(BrokerUnavailable) as caught:
        publisher.publish(ONE)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert broker.opened == 0
    broker.now += 0.02
    publisher.publish(ONE)
    assert broker.sent == ONE


def test_a_success_ends_failing_fast(broker: Broker) -> None:
    publisher = broker.publisher()
    broker.down = True
    with pytest.raises(BrokerUnavailable):
        publisher.publish(ONE)
    broker.down = False
    broker.now += 2
    publisher.publish(ONE)
    publisher.publish(ONE)
    assert len(broker.sent) == 2


def test_a_bug_of_ours_is_not_reported_as_a_broker_fault(broker: Broker) -> None:
    publisher = broker.publisher()
    broker.failures = [TypeError("ours")]
    with pytest.raises(TypeError):
        publisher.publish(ONE)
    assert broker.ends == ["drop"]
    publisher.publish(ONE)


def test_those_who_wait_for_a_hanging_publish_give_up_in_time(broker: Broker) -> None:
    entered, release = threading.Event(), threading.Event()

    class Hanging(Link):
        def send(self, messages: Sequence[Message], deadline: float) -> None:
            entered.set()
            release.wait(10)

    publisher = Publisher(Settings(_env_file=None), timeout=0.05, opener=lambda _deadline: Hanging(broker))
    thread = threading.Thread(target=publisher.publish, args=(ONE,))
    thread.start()
    assert entered.wait(5)
    with pytest.raises(BrokerUnavailable):
        publisher.publish(ONE)
    release.set()
    thread.join()
    publisher.close()
