"""A worker closes a connection to RabbitMQ in a short time, also one that a network forgot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.harness.bad_network import BadNetwork
from worker.connection import QuickConnection


@pytest.fixture
def network(rabbit_url: str) -> Iterator[BadNetwork]:
    network = BadNetwork(urlsplit(rabbit_url).port or 5672)
    yield network
    network.stop()


@pytest.mark.parametrize("swallows", [False, True])
def test_a_close_ends(rabbit_url: str, network: BadNetwork, swallows: bool) -> None:
    where = urlsplit(rabbit_url)
    host = f"{where.hostname}:{where.port or 5672}"
    connection = QuickConnection(rabbit_url.replace(host, f"127.0.0.1:{network.port}"))
    assert connection.default_channel
    network.swallows = swallows
    closing = threading.Thread(target=connection.release, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    assert not connection.connected
