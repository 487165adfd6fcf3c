"""A wake-up through RabbitMQ: the broker may lose it, since the row holds everything."""

from __future__ import annotations

import json

from notifier.broker.topology import TASK_QUEUE, connect
from notifier.settings import Settings
from notifier.wake import SEND, WOKEN_AT, Waker


def test_a_wake_up_waits_in_memory_and_says_when_it_was_sent(rabbit_url: str) -> None:
    settings = Settings(_env_file=None, broker_url=rabbit_url)
    waker = Waker(settings)
    waker.wake("an-id")
    assert waker.flush(10)
    with connect(settings) as connection:
        message = connection.default_channel.basic_get(TASK_QUEUE, no_ack=True)
    assert message is not None
    assert message.properties["delivery_mode"] == 1  # not written to the broker's disk
    assert message.headers["task"] == SEND
    assert message.headers[WOKEN_AT] > 0
    assert json.loads(message.body)[1] == {"id": "an-id"}
