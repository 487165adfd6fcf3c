"""The promises of publisher and subscriber, over both brokers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notifier.broker import Message, Publisher
from notifier.broker.subscriber import IDLE
from notifier.settings import Settings
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.waiting import until
from tests.integration.broker_listener import (
    SECONDS,
    Listener,
    listening,
    message,
    publish_raw,
    publishing,
    somebody_listens,
)

HOSTILE = [
    "a/b",
    "*",
    "#",
    "..",
    ".",
    "user:7",
    "1",
    "u.1",
    "日本",
    "😀" * 128,
    "'; --",
    "%2F",
    " ",
    "A",
    "a",
]


@pytest.fixture(scope="module")
def vhost(rabbit_server: SharedRabbit) -> str:
    """A vhost for all tests here: no test leaves a listener, and creating a vhost takes a second."""
    return rabbit_server.fresh_url()


@pytest.fixture(params=["file", "rabbitmq", "rabbitmq, one queue"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a broker that nothing else uses."""
    url = "" if request.param == "file" else request.getfixturevalue("vhost")
    queues: Any = "gateway" if request.param.endswith("one queue") else "user"
    return Settings(_env_file=None, broker_url=url, var_dir=tmp_path / "var", event_queues=queues)


@pytest.fixture
def listener(settings: Settings) -> Iterator[Listener]:
    with listening(settings) as listener:
        yield listener


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    with publishing(settings) as publisher:
        yield publisher


def test_only_gateways_of_the_user_get_a_message(settings: Settings, publisher: Publisher) -> None:
    with listening(settings) as one, listening(settings) as two, listening(settings) as other:
        one.subscribe("ada", "bob")
        two.subscribe("ada")
        other.subscribe("eve")
        publisher.publish([message("ada", 1), message("bob", 5), message("eve", 9)])
        assert sorted(one.hears(2)) == [("ada", 1), ("bob", 5)]
        assert two.hears(1) == [("ada", 1)]
        assert other.hears(1) == [("eve", 9)]
        assert set(one.heard) == {message("ada", 1), message("bob", 5)}  # only each user's order is kept


def test_hostile_ids_are_ordinary_separate_users(listener: Listener, publisher: Publisher) -> None:
    listener.subscribe(*HOSTILE)
    publisher.publish([message(user, seq) for seq, user in enumerate(HOSTILE, 1)])
    assert sorted(listener.hears(len(HOSTILE))) == sorted((u, s) for s, u in enumerate(HOSTILE, 1))


@pytest.mark.parametrize("listens", ["*", "#", "1", ".", "a"])
def test_an_id_gets_no_message_of_another_id(listener: Listener, publisher: Publisher, listens: str) -> None:
    listener.subscribe(listens, "last")
    publisher.publish([message(user) for user in HOSTILE if user != listens] + [message("last")])
    assert listener.hears(1) == [("last", 1)]


def test_order_is_kept_over_a_thousand_messages(listener: Listener, publisher: Publisher) -> None:
    users = [f"u{n}" for n in range(5)]
    listener.subscribe(*users)
    for start in range(0, 200, 20):
        publisher.publish([message(u, s) for s in range(start + 1, start + 21) for u in users])
    heard = listener.hears(1_000)
    assert len(heard) == 1_000
    for user in users:
        assert [seq for u, seq in heard if u == user] == list(range(1, 201))


def test_a_message_without_a_listener_is_dropped(
    settings: Settings, listener: Listener, publisher: Publisher
) -> None:
    listener.subscribe("here")
    publisher.publish([message("away", n) for n in range(1, 101)] + [message("here")])
    assert listener.hears(1) == [("here", 1)]
    listener.subscribe("away")
    publisher.publish([message("away", 101)])
    assert listener.hears(2)[1:] == [("away", 101)]
    if settings.file_broker:
        assert [p for p in (settings.var_dir / "broker").rglob("*.msg") if p.exists()] == []


def test_nothing_arrives_between_unsubscribe_and_the_next_subscribe(
    settings: Settings, listener: Listener, publisher: Publisher
) -> None:
    listener.subscribe("ada", "last")
    listener.subscriber.unsubscribe("ada")
    listener.subscriber.unsubscribe("ada")
    listener.subscriber.unsubscribe("never there")
    until(lambda: not somebody_listens(settings, "ada"), SECONDS, "the broker forgets the queue")
    publisher.publish([message("ada", 1), message("last", 1)])
    assert listener.hears(1) == [("last", 1)]
    listener.subscribe("ada")
    publisher.publish([message("ada", 2)])
    assert listener.hears(2)[1:] == [("ada", 2)]


def test_leaving_and_returning_at_once_loses_nothing(listener: Listener, publisher: Publisher) -> None:
    for round_ in range(1, 21):
        listener.subscribe("ada")
        publisher.publish([message("ada", round_)])
        listener.hears(round_)
        listener.subscriber.unsubscribe("ada")
    assert listener.hears(20) == [("ada", n) for n in range(1, 21)]
    assert listener.subscriber.stats.connections == 1


def test_many_users_who_leave_and_return_at_once_get_messages(
    listener: Listener, publisher: Publisher
) -> None:
    """A user who returns while the broker is still busy unsubscribing keeps the new subscription."""
    crowd = [f"user {number}" for number in range(1_000)]
    listener.subscribe(*crowd)
    for user in crowd:
        listener.subscriber.unsubscribe(user)
    while listener.subscriber._changed:  # only until the broker is asked to unsubscribe the last one
        time.sleep(0)
    listener.subscribe(*crowd[-100:])
    publisher.publish([message(user, 1) for user in crowd[-100:]])
    assert sorted(listener.hears(100)) == sorted((user, 1) for user in crowd[-100:])


def test_subscribing_twice_is_one_subscription(listener: Listener, publisher: Publisher) -> None:
    first = listener.subscriber.subscribe("ada")
    assert listener.subscriber.subscribe("ada") is first
    listener.subscribe("ada", "ada")
    publisher.publish([message("ada", 1), message("ada", 2)])
    assert listener.hears(2) == [("ada", 1), ("ada", 2)]


def test_five_hundred_subscriptions_go_out_in_few_batches(listener: Listener, publisher: Publisher) -> None:
    users = [f"u{n}" for n in range(500)]
    listener.subscribe(*users)
    assert listener.subscriber.stats.batches < 100
    publisher.publish([message(u) for u in users])
    assert sorted(listener.hears(500)) == sorted((u, 1) for u in users)


def test_a_subscription_does_not_wait_for_the_next_event(listener: Listener) -> None:
    before = time.monotonic()
    for number in range(10):
        listener.subscribe(f"u{number}")
    assert time.monotonic() - before < 5 * IDLE


def test_after_the_end_there_is_no_subscription(settings: Settings) -> None:
    with listening(settings) as listener:
        listener.subscribe("ada")
        assert somebody_listens(settings, "ada")
    assert not somebody_listens(settings, "ada")


def test_malformed_messages_are_rejected_and_stop_nothing(
    settings: Settings, listener: Listener, publisher: Publisher
) -> None:
    listener.subscribe("ada")
    bad = [0, -1, 1.5, "x" if settings.file_broker else "1", True, None]
    if settings.file_broker:
        (inbox,) = (settings.var_dir / "broker" / "events").glob("gateways/*/inbox")
        key = next((settings.var_dir / "broker" / "events" / "bindings").iterdir()).name
        for number, seq in enumerate(bad):
            (inbox / f"{number:020d}-0-0.{key}.{seq}.msg").write_bytes(b"{}")
        (inbox / f"1.{key}.1.msg").write_bytes(b"")
        (inbox / "junk").write_bytes(b"{}")
    else:
        publish_raw(settings, "ada", bad)
    publisher.publish([Message("ada", 1, b"x" * (1 << 20)), Message("ada", 2, b"x" * ((1 << 20) + 1))])
    publisher.publish([message("ada", 3)])
    assert listener.hears(2) == [("ada", 1), ("ada", 3)]
    assert listener.subscriber.stats.rejected == len(bad) + 3
    assert listener.subscriber.stats.connections == 1


def test_a_callback_that_raises_stops_nothing(settings: Settings, publisher: Publisher) -> None:
    heard: list[int] = []

    def fail_on_first(message: Message) -> None:
        heard.append(message.seq)
        if message.seq == 1:
            raise RuntimeError("on purpose")

    with listening(settings, fail_on_first) as listener:
        listener.subscribe("ada")
        publisher.publish([message("ada", 1), message("ada", 2)])
        until(lambda: heard == [1, 2], SECONDS, "both come")
        assert listener.subscriber.stats.failures == 1


def test_stopping_ends_all_waits(settings: Settings) -> None:
    with listening(settings) as listener:
        listener.subscribe("ada")
    assert not listener.subscriber.connected
    assert listener.subscriber.subscribe("ada").wait(SECONDS) is False
    assert listener.subscriber.subscribe("bob").wait(SECONDS) is False


def test_threads_share_one_publisher(listener: Listener, publisher: Publisher) -> None:
    users = [f"u{n}" for n in range(8)]
    listener.subscribe(*users)

    def send(user: str) -> None:
        for seq in range(1, 26):
            publisher.publish([message(user, seq)])

    threads = [threading.Thread(target=send, args=(u,)) for u in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = listener.hears(200)
    assert all([s for u, s in heard if u == user] == list(range(1, 26)) for user in users)


def test_a_forked_child_publishes_by_itself_and_leaves_the_parents_connection_alone(
    listener: Listener, publisher: Publisher
) -> None:
    listener.subscribe("ada")
    publisher.publish([message("ada", 1)])
    link = publisher._link
    if (pid := os.fork()) == 0:
        try:
            publisher.publish([message("ada", 2)])
            publisher.close()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    listener.hears(2)
    publisher.publish([message("ada", 3)])
    assert listener.hears(3) == [("ada", 1), ("ada", 2), ("ada", 3)]
    assert publisher._link is link  # the connection never broke


def test_it_works_the_same_under_gevent(settings: Settings) -> None:
    script = Path(__file__).with_name("broker_under_gevent.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), settings.broker_url, str(settings.var_dir)],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith("200 users heard 2 each")
