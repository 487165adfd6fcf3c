"""Faults of RabbitMQ that do not cut the connection: each is noticed, named, logged once, and repaired."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from notifier.broker import Publisher, routing_key
from notifier.broker.faults import BLOCKED, FORBIDDEN, MISMATCH, UNBOUND
from notifier.core.errors import BrokerUnavailable
from notifier.settings import Settings
from tests.harness import rabbit_faults as faults
from tests.harness.rabbitmq import PrivateRabbit
from tests.harness.waiting import until
from tests.integration.broker_listener import SECONDS, Listener, message
from web.gateway.broker_watch import BrokerWatch

WITHIN = 2.0  # seconds until what was deleted is bound again


@pytest.fixture(scope="module")
def rabbit() -> Iterator[PrivateRabbit]:
    with PrivateRabbit() as rabbit:
        yield rabbit


def settings_for(url: str, event_queues: Literal["user", "gateway"] = "user") -> Settings:
    return Settings(_env_file=None, broker_url=url, var_dir=Path("unused"), event_queues=event_queues)


class Gateway:
    """A gateway's broker side: subscriber, publisher, and the watch over both, every second."""

    def __init__(self, settings: Settings, *users: str) -> None:
        self.listener = Listener(settings)
        self.publisher = Publisher(settings, timeout=2.0)
        self.worker = Publisher(settings, timeout=2.0)
        self.missed = 0
        self.users = list(users)
        self.watch = BrokerWatch(
            self.publisher, self.listener.subscriber, "gw", users=lambda: self.users, missed=self._missed
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        self.listener.connected().subscribe(*self.users)
        self.watch.look()
        assert self.watch.fault is None
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(1.0):
            self.watch.look()

    def _missed(self) -> None:
        self.missed += 1

    def publishes(self, *users: str, seq: int) -> None:
        """Publish as a worker does, which knows of no fault."""

        def published() -> bool:
            try:
                self.worker.publish([message(user, seq) for user in users])
            except BrokerUnavailable:
                return False
            return True

        until(published, SECONDS, "the worker publishes")

    def state(self) -> str:
        return self.watch.fault.state if self.watch.fault else "ok"

    def close(self) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join(SECONDS)
        self.listener.close()
        self.publisher.close()
        self.worker.close()


@contextmanager
def gateway(settings: Settings, *users: str) -> Iterator[Gateway]:
    opened = Gateway(settings, *users)
    try:
        opened.start()
        yield opened
    finally:
        opened.close()


@pytest.fixture(params=["user", "gateway"])
def gw(request: pytest.FixtureRequest, rabbit: PrivateRabbit) -> Iterator[Gateway]:
    with gateway(settings_for(rabbit.url, request.param), "ada", "bob") as opened:
        yield opened


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize("declared_again", [False, True])
def test_a_deleted_exchange_is_bound_again(
    gw: Gateway, rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture, declared_again: bool
) -> None:
    recovered = gw.listener.recoveries
    faults.delete_exchange(rabbit, declared_again=declared_again)
    begun = time.monotonic()
    until(lambda: gw.listener.recoveries > recovered, SECONDS, "it is bound again")
    assert time.monotonic() - begun < WITHIN
    gw.publishes("ada", "bob", seq=2)
    assert sorted(gw.listener.hears(2)) == [("ada", 2), ("bob", 2)]
    assert gw.state() == "ok"
    (said,) = [line for line in _warnings(caplog) if f"state={UNBOUND}" in line]
    assert "exchange" in said


def test_an_exchange_that_a_worker_declares_again_is_noticed_too(gw: Gateway, rabbit: PrivateRabbit) -> None:
    """The worker published before and finds the exchange deleted: it declares it, without a message to gateways."""
    gw.publishes("ada", seq=1)
    faults.delete_exchange(rabbit)
    begun = time.monotonic()
    gw.publishes("ada", seq=2)
    until(lambda: gw.listener.recoveries == 1, SECONDS, "it is bound again")
    assert time.monotonic() - begun < WITHIN
    gw.publishes("ada", seq=3)
    assert gw.listener.hears(2)[-1] == ("ada", 3)


def test_deleted_queues_are_made_again(gw: Gateway, rabbit: PrivateRabbit) -> None:
    faults.delete_queues(rabbit)
    begun = time.monotonic()
    until(lambda: gw.listener.recoveries == 1, SECONDS, "they are made again")
    assert time.monotonic() - begun < WITHIN
    gw.publishes("ada", "bob", seq=2)
    assert sorted(gw.listener.hears(2)) == [("ada", 2), ("bob", 2)]


def test_all_removed_bindings_are_made_again(gw: Gateway, rabbit: PrivateRabbit) -> None:
    faults.remove_bindings(rabbit)
    begun = time.monotonic()
    until(lambda: gw.listener.recoveries == 1, SECONDS, "they are made again")
    assert time.monotonic() - begun < WITHIN
    gw.publishes("ada", "bob", seq=2)
    assert sorted(gw.listener.hears(2)) == [("ada", 2), ("bob", 2)]


def test_one_removed_binding_is_made_again_without_touching_the_others(
    gw: Gateway, rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture
) -> None:
    faults.remove_bindings(rabbit, routing_key("bob"))
    begun = time.monotonic()
    until(lambda: gw.missed == 1, SECONDS, "it is made again, and heads are compared")
    assert time.monotonic() - begun < WITHIN
    gw.publishes("ada", "bob", seq=2)
    assert sorted(gw.listener.hears(2)) == [("ada", 2), ("bob", 2)]
    assert gw.listener.recoveries == 0
    assert sum("bindings were removed" in line for line in _warnings(caplog)) == 1


@pytest.mark.parametrize("alarm", [faults.memory_alarm, faults.disk_alarm])
def test_a_blocked_broker_is_named_until_it_recovers(
    gw: Gateway, rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture, alarm: object
) -> None:
    assert callable(alarm)
    gw.publishes("ada", seq=1)
    alarm(rabbit, on=True)
    try:
        until(lambda: gw.state() == BLOCKED, 5, "it is noticed")
        with pytest.raises(BrokerUnavailable):
            gw.worker.publish([message("ada", 2)])
        begun = time.monotonic()
        for _ in range(20):
            with pytest.raises(BrokerUnavailable):
                gw.worker.publish([message("ada", 3)])
        assert time.monotonic() - begun < 0.2
        connections = faults.ctl(rabbit, "list_connections", "name", "--no-table-headers")
        time.sleep(2.5)  # several more checks
        after = faults.ctl(rabbit, "list_connections", "name", "--no-table-headers")
        assert len(after.splitlines()) == len(connections.splitlines())
        assert gw.state() == BLOCKED
        assert gw.listener.subscriber.subscribe("late").wait(SECONDS)  # a consumer is not blocked
    finally:
        alarm(rabbit, on=False)
    until(lambda: gw.state() == "ok", 5, "it is over")
    gw.publishes("ada", seq=4)
    until(lambda: ("ada", 4) in gw.listener.hears(1), SECONDS, "events flow")
    assert sum(f"state={BLOCKED}" in line for line in _warnings(caplog)) == 1


@pytest.mark.parametrize("which", faults.PERMISSIONS)
def test_a_removed_permission_is_named_and_works_again_when_granted(
    gw: Gateway, rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture, which: str
) -> None:
    gw.publishes("ada", seq=1)
    faults.permissions(rabbit, without=which)
    try:
        until(lambda: gw.state() == FORBIDDEN, 10, "it is noticed though everything is made")
        assert gw.watch.fault is not None
        assert f"no {which} permission" in gw.watch.fault.detail
        if which == "write":
            with pytest.raises(BrokerUnavailable, match=r"no write permission|a moment ago"):
                gw.worker.publish([message("ada", 2)])
        else:
            gw.publishes("ada", seq=2)  # everything else keeps working
            assert gw.listener.hears(2) == [("ada", 1), ("ada", 2)]
    finally:
        faults.permissions(rabbit)
    until(lambda: gw.state() == "ok", 15, "it is well again")
    assert sum(f"state={FORBIDDEN}" in line for line in _warnings(caplog)) == 1


@pytest.mark.parametrize("which", faults.PERMISSIONS)
def test_a_start_without_a_permission_is_logged_once_with_growing_pauses(
    rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture, which: str
) -> None:
    faults.permissions(rabbit, without=which)
    attempts: list[float] = []
    listener = Listener(settings_for(rabbit.url))
    opener = listener.subscriber._opener
    listener.subscriber._opener = lambda receiver: (attempts.append(time.monotonic()), opener(receiver))[1]
    try:
        listener.subscriber.subscribe("ada")
        until(lambda: (f := listener.subscriber.fault) and f.state == FORBIDDEN, 10, "it is named")
        assert listener.subscriber.fault is not None
        assert f"no {which} permission" in listener.subscriber.fault.detail
        time.sleep(6)
        assert len(attempts) < 20
    finally:
        faults.permissions(rabbit)
    until(lambda: listener.subscriber.fault is None, 10, "it is well again by itself")
    assert listener.subscriber.subscribe("ada").wait(SECONDS)
    listener.close()
    assert len([line for line in _warnings(caplog) if f"state={FORBIDDEN}" in line]) == 1


def test_an_exchange_of_another_type_is_named_with_the_cure(
    rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture
) -> None:
    with faults.connected(rabbit) as channel:
        channel.exchange_delete(faults.EXCHANGE)
        channel.exchange_declare(faults.EXCHANGE, "topic", durable=True, auto_delete=False)
    listener = Listener(settings_for(rabbit.url))
    try:
        until(lambda: (f := listener.subscriber.fault) and f.state == MISMATCH, 10, "it is named")
        (said,) = _warnings(caplog)
        assert "exchange 'notifications' exists with other arguments (type differs)" in said
        assert "cure=delete exchange 'notifications'" in said
        faults.delete_exchange(rabbit)
        until(lambda: listener.subscriber.fault is None, 10, "it is well again by itself")
    finally:
        listener.close()
