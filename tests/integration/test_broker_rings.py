"""A ring through RabbitMQ: a doorbell, which the broker may forget, as the row says all."""

from __future__ import annotations

import json

from notifier.broker.topology import TASK_QUEUE, connect
from notifier.ring import RUNG_AT, SEND, Ringer
from notifier.settings import Settings


def test_a_ring_waits_in_memory_and_says_when_it_was_sent(rabbit_url: str) -> None:
    settings = Settings(_env_file=None, broker_url=rabbit_url)
    ringer = Ringer(settings)
    ringer.ring("an-id")
    assert ringer.flush(10)
    with connect(settings) as connection:
        message = connection.default_channel.basic_get(TASK_QUEUE, no_ack=True)
    assert message is not None
    assert message.properties["delivery_mode"] == 1  # not written to the broker's disk
    assert message.headers["task"] == SEND
    assert message.headers[RUNG_AT] > 0
    assert json.loads(message.body)[1] == {"id": "an-id"}
