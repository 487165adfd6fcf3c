"""Publisher and subscriber when RabbitMQ dies, hangs, refuses or restarts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from notifier.broker import Publisher, celery_config, topology
from notifier.core.errors import BrokerUnavailable
from notifier.settings import Settings
from notifier.wake import Waker
from tests.harness import processes
from tests.harness.rabbitmq import PLACES, PrivateRabbit
from tests.harness.services import find_binary
from tests.harness.waiting import free_port, until
from tests.integration.broker_listener import SECONDS, Listener, listening, message, publishing
from worker.app import make_app
from worker.runtime import WorkerRuntime


@pytest.fixture(scope="module")
def rabbit() -> Iterator[PrivateRabbit]:
    with PrivateRabbit() as rabbit:
        yield rabbit


def _settings(url: str, event_queues: Literal["user", "gateway"] = "user") -> Settings:
    return Settings(_env_file=None, broker_url=url, var_dir=Path("unused"), event_queues=event_queues)


@dataclass
class Room:
    settings: Settings
    listener: Listener
    publisher: Publisher


@pytest.fixture(params=["user", "gateway"])
def room(request: pytest.FixtureRequest, rabbit: PrivateRabbit) -> Iterator[Room]:
    settings = _settings(rabbit.url, request.param)
    with listening(settings) as listener, publishing(settings, timeout=2.0) as publisher:
        listener.subscribe("ada", "bob")
        publisher.publish([message("ada", 1)])
        listener.hears(1)
        yield Room(settings, listener, publisher)


def _seconds_to_fail(publisher: Publisher) -> float:
    before = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        publisher.publish([message("ada", 99)])
    return time.monotonic() - before


def _publish_when_back(publisher: Publisher, *users: str, seq: int) -> None:
    def published() -> bool:
        try:
            publisher.publish([message(user, seq) for user in users])
        except BrokerUnavailable:
            return False
        return True

    until(published, SECONDS, "publishing works again")


def test_after_a_crash_everything_recovers_by_itself(rabbit: PrivateRabbit, room: Room) -> None:
    listener, subscriber = room.listener, room.listener.subscriber
    recovered = listener.recoveries
    rabbit.kill()
    until(lambda: not subscriber.connected, SECONDS, "the subscriber notices")

    assert _seconds_to_fail(room.publisher) < 1.0
    assert _seconds_to_fail(room.publisher) < 0.2  # the second one does not even try
    before = time.monotonic()
    assert subscriber.subscribe("late").wait(10) is False
    assert subscriber.subscribe("ada").wait(10) is False
    assert time.monotonic() - before < 0.5
    subscriber.unsubscribe("bob")

    rabbit.start()
    until(lambda: listener.recoveries > recovered, SECONDS, "the subscriber recovers")
    assert listener.recoveries == recovered + 1
    assert subscriber.subscribe("late").wait(1)
    assert subscriber.subscribe("ada").wait(1)
    _publish_when_back(room.publisher, "bob", "ada", "late", seq=2)
    assert sorted(listener.hears(3)[1:]) == [("ada", 2), ("late", 2)]
    assert listener.recoveries == recovered + 1


def test_a_stale_connection_costs_the_publisher_no_failure(rabbit: PrivateRabbit) -> None:
    with publishing(_settings(rabbit.url)) as publisher:
        publisher.publish([message("ada", 1)])
        rabbit.kill()
        rabbit.start()
        publisher.publish([message("ada", 2)])  # does not raise


def test_a_hanging_broker_costs_a_publish_its_timeout_and_the_next_nothing(
    rabbit: PrivateRabbit, room: Room
) -> None:
    rabbit.freeze()
    try:
        assert 1.5 < _seconds_to_fail(room.publisher) < 4.0
        assert _seconds_to_fail(room.publisher) < 0.2
        assert room.listener.subscriber.subscribe("late").wait(0.2) is False
    finally:
        rabbit.thaw()
    _publish_when_back(room.publisher, "ada", seq=2)
    assert room.listener.subscriber.subscribe("late").wait(SECONDS)
    until(lambda: ("ada", 2) in room.listener.hears(1), SECONDS, "messages flow again")


def test_an_alarm_that_blocks_connections_fails_fast(rabbit: PrivateRabbit, room: Room) -> None:
    _memory_limit(rabbit, "1")
    try:
        assert _seconds_to_fail(room.publisher) < 1.9
    finally:
        _memory_limit(rabbit, "2000000000")
    _publish_when_back(room.publisher, "ada", seq=2)


def _memory_limit(rabbit: PrivateRabbit, number: str) -> None:
    _ctl(rabbit, "set_vm_memory_high_watermark", "absolute", number)


def _ctl(rabbit: PrivateRabbit, *words: str) -> None:
    tool = find_binary("rabbitmqctl", *PLACES)
    assert tool is not None
    rabbit.run_tool(str(tool), "-q", *words)


def test_a_queue_deleted_by_others_is_made_again(rabbit: PrivateRabbit, room: Room) -> None:
    recovered = room.listener.recoveries
    expression = '[rabbit_amqqueue:delete(Q, false, false, <<"t">>) || Q <- rabbit_amqqueue:list()], ok.'
    _ctl(rabbit, "eval", expression)
    until(lambda: room.listener.recoveries == recovered + 1, SECONDS, "the subscriber recovers")
    room.publisher.publish([message("ada", 2), message("bob", 2)])
    assert sorted(room.listener.hears(3)[1:]) == [("ada", 2), ("bob", 2)]


def test_the_next_broker_of_the_list_is_used(rabbit: PrivateRabbit) -> None:
    settings = _settings(f"amqp://guest:guest@127.0.0.1:{free_port()}//;{rabbit.url}")
    with listening(settings) as listener, publishing(settings) as publisher:
        listener.subscribe("ada")
        publisher.publish([message("ada")])
        assert listener.hears(1) == [("ada", 1)]


def test_all_parts_reach_the_last_broker_of_the_list(rabbit: PrivateRabbit) -> None:
    """Two of a cluster's three nodes are down, and come first in the list."""
    down = [f"amqp://guest:guest@127.0.0.1:{free_port()}//" for _ in range(2)]
    settings = _settings(";".join([*down, rabbit.url]))
    assert topology.answers(settings)
    waker = Waker(settings)
    waker.wake("any")
    assert waker.flush(SECONDS)
    with listening(settings) as listener, publishing(settings) as publisher:
        listener.subscribe("ada")
        publisher.publish([message("ada")])
        assert listener.hears(1) == [("ada", 1)]


def test_a_worker_outlives_what_the_broker_refuses(rabbit: PrivateRabbit, tmp_path: Path) -> None:
    """A cluster refuses like this while one of its nodes stops."""
    env = {"NOTIFIER_VAR_DIR": str(tmp_path / "var"), "NOTIFIER_BROKER_URL": rabbit.url}
    assert processes.run("notifier", "migrate", env=env).returncode == 0
    _ctl(rabbit, "set_permissions", "guest", "^$", "^$", "^$")
    worker = processes.notifier("worker", env=env, log=tmp_path / "worker.log").start()
    try:
        worker.wait_logged("ACCESS_REFUSED")
        _ctl(rabbit, "set_permissions", "guest", ".*", ".*", ".*")
        worker.wait_logged("ready.")
    finally:
        _ctl(rabbit, "set_permissions", "guest", ".*", ".*", ".*")
        worker.terminate()


def test_a_worker_enqueues_over_a_new_connection_when_the_old_one_died(rabbit: PrivateRabbit) -> None:
    settings = _settings(rabbit.url)
    runtime = WorkerRuntime(settings, make_app(settings))
    runtime.wake("one", bulk=True)
    rabbit.kill()
    rabbit.start()
    runtime.wake("two", bulk=True)
    rabbit.kill()

    def unavailable() -> bool:
        try:
            runtime.wake("lost", bulk=True)  # the kernel may accept it before it knows that the peer is gone
        except BrokerUnavailable:
            return True
        return False

    until(unavailable, SECONDS, "it is said that the broker is away")
    rabbit.start()
    runtime.wake("three", bulk=True)


@pytest.mark.parametrize(
    ("configure", "write"),
    [("^$", ".*"), (".*", "^$")],
    ids=["to declare the queue", "to write to it"],
)
def test_a_worker_that_may_not_enqueue_is_told_so_and_goes_on_when_it_may(
    rabbit: PrivateRabbit, configure: str, write: str
) -> None:
    """The channels are new each time: RabbitMQ remembers what a channel was once allowed."""
    settings = _settings(rabbit.url)
    runtime = WorkerRuntime(settings, make_app(settings))

    def refused() -> bool:
        try:
            runtime.wake("refused", bulk=True)  # the broker refuses a message a moment later
        except BrokerUnavailable:
            return True
        return False

    _ctl(rabbit, "set_permissions", "guest", configure, write, ".*")
    try:
        for _ in range(3):  # each refusal ends the channel; the next call begins another one
            until(refused, SECONDS, "it is said that the broker refuses")
    finally:
        _ctl(rabbit, "set_permissions", "guest", ".*", ".*", ".*")
    until(lambda: not refused(), SECONDS, "it goes on")


def test_wrong_credentials_are_an_unavailable_broker_and_are_not_shown(rabbit: PrivateRabbit) -> None:
    with publishing(_settings(rabbit.url.replace("guest:guest", "guest:hunter2"))) as publisher:
        with pytest.raises(BrokerUnavailable) as caught:
            publisher.publish([message("ada")])
        assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)


def test_a_subscriber_that_starts_before_the_broker_recovers_once(rabbit: PrivateRabbit) -> None:
    rabbit.kill()
    listener = Listener(_settings(rabbit.url))
    try:
        assert listener.subscriber.subscribe("ada").wait(10) is False
        rabbit.start()
        listener.connected()
        until(lambda: listener.recoveries == 1, SECONDS, "it tells that it may have missed something")
        assert listener.subscriber.subscribe("ada").wait(SECONDS)
    finally:
        listener.close()
    assert listener.recoveries == 1


def test_celery_is_told_not_to_wait_for_a_dead_broker() -> None:
    dead = f"amqp://guest:guest@127.0.0.1:{free_port()}//;amqp://guest:guest@127.0.0.1:{free_port()}//"
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_config(_settings(dead)))
    for _ in range(2):  # the first time also imports much of Celery
        before = time.monotonic()
        with pytest.raises(OperationalError):
            app.send_task("any", queue="notifier", retry=False, ignore_result=True)
    assert time.monotonic() - before < 0.5
