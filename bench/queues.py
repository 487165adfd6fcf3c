"""Compare a queue for each user with one queue for the gateway and a binding for each user.

python -m bench queues
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Sequence

import orjson
import psutil

from bench.load.apart import apart
from bench.python_api import sent
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import NOTHING, Metric, Scenario, Values
from bench.sides import EACH_QUEUE, ONE_QUEUE
from bench.target import Command, user
from notifier.broker.message import Message
from notifier.broker.subscriber import Subscriber
from notifier.broker.topology import new_gateway_id
from notifier.settings import Settings
from tests.harness.processes import REPO
from tests.harness.rabbitmq import PrivateRabbit
from tests.harness.waiting import until

PATIENCE = 120.0  # seconds
SETTLE = 3.0  # seconds


class Listener:
    """A subscriber in a thread of its own, as a gateway has it, that notes when each message came."""

    def __init__(self, settings: Settings) -> None:
        self.times: dict[str, float] = {}
        self._subscriber = Subscriber(
            settings, gateway_id=new_gateway_id(), on_message=self._note, on_recovered=lambda: None
        )
        self._thread = threading.Thread(target=self._subscriber.run)

    def __enter__(self) -> Listener:
        self._thread.start()
        until(lambda: self._subscriber.connected, 30, "it is connected")
        return self

    def __exit__(self, *_: object) -> None:
        self._subscriber.stop()
        self._thread.join(30)

    def subscribe(self, users: Sequence[str]) -> float:
        """Subscribe to all; return the seconds until the last one was confirmed."""
        began = time.monotonic()
        for subscription in [self._subscriber.subscribe(name) for name in users]:
            if not subscription.wait(PATIENCE):
                raise TimeoutError(f"{subscription.user_id} is not subscribed")
        return time.monotonic() - began

    def _note(self, message: Message) -> None:
        self.times[orjson.loads(message.body)["data"]["title"]] = time.monotonic()


async def load(broker: int, env: dict[str, str], *, users: int, rate: int, count: int) -> Values:
    """Subscribe to all, measure the broker's memory, and start the publisher."""
    os.environ.update(env)
    names = [user(number) for number in range(users)]
    publisher = Command([sys.executable, "-m", "bench.publish", "ours"], env, str(REPO))
    with Listener(Settings.load()) as listener:
        listener.subscribe(["warm"])
        before = psutil.Process(broker).memory_info().rss
        took = listener.subscribe(names)
        await asyncio.sleep(SETTLE)
        after = psutil.Process(broker).memory_info().rss
        await sent(publisher, count, rate, users)
        await asyncio.sleep(1)
        waits = [at - int(title) / 1e9 for title, at in listener.times.items() if title.isdigit()]
        return {
            "lost": count - len(waits),
            "subscriptions_per_s": round(users / took, 1),
            "broker_kb_each": round((after - before) / users / 1024, 2),
            **milliseconds("through", waits),
        }


def measure(name: str, *, seed: int, users: int, rate: int, count: int) -> Values:  # noqa: ARG001
    """Measure one round of one side, on a new private node."""
    with PrivateRabbit() as rabbit:
        broker = next(p.pid for p in psutil.Process().children(recursive=True) if "beam" in p.name())
        env = {
            "NOTIFIER_BROKER_URL": rabbit.url,
            "NOTIFIER_EVENT_QUEUES": "gateway" if name == ONE_QUEUE else "user",
        }
        return apart(load, broker, env, users=users, rate=rate, count=count)


SCENARIO = Scenario(
    name="queues",
    title="A queue for each user, or one for the gateway",
    about="One gateway's subscriber, without sockets, for 8,000 users: with a queue for each, as it is, and "
    "with a single queue that has a binding for each. Then 500 messages a second, each to one user, "
    "published with a confirm for each by another process. In the broker each: what RabbitMQ's memory "
    "(RSS) has grown by.",
    sides=(EACH_QUEUE, ONE_QUEUE),
    full={"users": 8_000, "rate": 500, "count": 5_000},
    pilot={"users": 300, "rate": 200, "count": 400},
    metrics=(
        Metric("subscriptions_per_s", "subscriptions", "/s", less=False),
        Metric("through_p50_ms", "publish → subscriber, p50", "ms"),
        Metric("through_p99_ms", "publish → subscriber, p99", "ms"),
        Metric("broker_kb_each", "in the broker, each", "KB"),
        Metric("lost", "lost", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
