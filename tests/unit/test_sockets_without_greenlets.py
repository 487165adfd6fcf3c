"""Slow readers by the hundred, comings and goings by the thousand: what a socket holds, and what is left of it."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.in_process_gateway import Client, InProcessGateway, soon
from web.gateway.connection import ClientConnection

SLOW = 200
COMINGS = int(os.environ.get("COMINGS", "1000"))  # 20000: the long form
LARGE = b'{"op": "event", "data": "' + b"x" * 60_000 + b'"}'


@pytest.fixture
def gateway() -> Iterator[InProcessGateway]:
    with InProcessGateway(slow_timeout=2.0).running() as gateway:
        yield gateway


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def blocked(connection: ClientConnection) -> bool:
    return connection._transport.blocked


def test_slow_readers_by_the_hundred_hold_no_greenlet_and_are_told_4410(gateway: InProcessGateway) -> None:
    slow = [gateway.enter(f"slow-{number}") for number in range(SLOW)]
    quick, reader = gateway.enter("quick")
    for connection, _ in slow:
        connection.offer(1, LARGE)
    soon(lambda: all(blocked(connection) for connection, _ in slow))
    assert len(gateway.services.turns._waiting) <= 2, "one greenlet for all of them"

    quick.offer(1, b'{"op": "event", "seq": 1}')
    reader.expect("event")

    soon(lambda: all(connection.session.phase.name == "CLOSED" for connection, _ in slow))
    clients = [client for _, client in slow]
    soon(lambda: [c.heard() for c in clients] and all(c.close_code for c in clients))
    assert {client.close_code for client in clients} == {4410}, "heard behind the frame that was begun"
    for _, client in slow:
        client.sock.close()
    soon(lambda: gateway.open_now == {quick})
    reader.sock.close()


def close_code(client: Client) -> int:
    """Read on to the close frame."""
    soon(lambda: client.heard() is None or client.close_code is not None)
    assert client.close_code is not None
    return client.close_code


def test_a_slow_reader_that_reads_again_gets_everything_and_is_heard(gateway: InProcessGateway) -> None:
    connection, client = gateway.enter("u1")
    for seq in range(1, 6):
        connection.offer(seq, LARGE)
    soon(lambda: blocked(connection))
    client.say(op="ping")
    client.expect(*["event"] * 5, "pong")
    client.sock.close()
    soon(lambda: not gateway.open_now)


def test_one_that_does_not_read_is_not_read_either(
    gateway: InProcessGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers would have to be kept."""
    connection, client = gateway.enter("u1")
    for seq in range(1, 3):
        connection.offer(seq, LARGE)
        client.say(op="ping")
    soon(lambda: blocked(connection))
    for _ in range(20):
        client.say(op="ping")
    before = connection.session._bucket.level
    taken, take = [], gateway.services.turns._take
    monkeypatch.setattr(gateway.services.turns, "_take", lambda one: taken.append(one) or take(one))
    client.sock.recv(20_000)
    soon(lambda: connection.session.phase.name == "CLOSED")
    assert connection.session._bucket.level == before
    assert len(taken) < 10, "it has nothing to do meanwhile"
    client.sock.close()
    soon(lambda: not gateway.open_now)


def test_nothing_is_left_of_sockets_that_came_and_went(gateway: InProcessGateway) -> None:
    """The collector of the oldest generation is rare here, so nothing may wait for it."""
    before, left = descriptors(), weakref.WeakSet[ClientConnection]()
    gc.collect()
    gc.disable()
    try:
        for number in range(COMINGS):
            connection, client = gateway.enter(f"u{number}")
            left.add(connection)
            if number % 2:
                client.leave()
            client.sock.close()
            del connection, client
            soon(lambda: not gateway.open_now)
        assert len(left) == 0
    finally:
        gc.enable()
    assert descriptors() == before
    assert not any(gateway.services.deadlines._ticks.values())


def test_a_socket_that_closes_waits_for_the_peer_without_a_greenlet(gateway: InProcessGateway) -> None:
    connection, client = gateway.enter("u1")
    connection.ask_to_close(1012, "1.0")
    assert close_code(client) == 1012
    assert gateway.open_now == {connection}, "a reset could overtake the close frame"
    soon(lambda: not gateway.open_now)  # after CLOSE_WAIT, though the peer never hangs up
    client.sock.close()
