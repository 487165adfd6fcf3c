"""A fake link to a broker: it confirms and fails on request, and keeps what it was asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Queue

from notifier.broker import Message, Subscriber
from notifier.broker.subscription import Receiver, Request
from notifier.settings import Settings
from tests.harness.waiting import until

SECONDS = 10.0  # a deadline, not an expectation


class FakeLink:
    """Confirms only on request, and keeps what it was asked for."""

    def __init__(self, broker: FakeBroker, receiver: Receiver) -> None:
        self.broker, self.receiver = broker, receiver
        self.open: list[Request] = []
        self.todo: Queue[Callable[[], object]] = Queue()
        self.closed = False

    @property
    def max_requests(self) -> int:
        return self.broker.limit - len(self.open)

    @property
    def busy(self) -> bool:
        return bool(self.open)

    def subscribe(self, requests: list[Request]) -> None:
        self.open += requests
        self.broker.calls.append("+" + ",".join(user for user, _ in requests))
        if self.broker.confirming:
            self.confirm()

    def unsubscribe(self, user_ids: list[str]) -> None:
        self.broker.calls.append("-" + ",".join(user_ids))

    def wait(self, timeout: float) -> None:
        if not self.todo.empty() or timeout:
            time.sleep(0.001)
        while not self.todo.empty():
            self.todo.get()()

    def close(self) -> None:
        self.closed = True

    def confirm(self, count: int | None = None) -> None:
        done, self.open = self.open[:count], self.open[count or len(self.open) :]
        self.receiver.confirm(done)


class FakeBroker:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.links: list[FakeLink] = []
        self.confirming = True
        self.down = False
        self.limit = 100
        self.attempts = 0

    def open(self, receiver: Receiver) -> FakeLink:
        self.attempts += 1
        if self.down:
            raise ConnectionRefusedError("down")
        self.links.append(FakeLink(self, receiver))
        return self.links[-1]

    def do(self, action: Callable[[], object]) -> None:
        """Run in the loop, as the broker's callbacks do, and wait until it is done."""
        done = threading.Event()
        self.links[-1].todo.put(lambda: (action(), done.set()))
        assert done.wait(SECONDS)

    def cut(self) -> None:
        def fail() -> None:
            raise ConnectionResetError("cut")

        self.links[-1].todo.put(fail)


class Room:
    def __init__(self) -> None:
        self.broker = FakeBroker()
        self.heard: list[Message] = []
        self.recoveries: list[list[str]] = []
        self.subscriber = Subscriber(
            Settings(_env_file=None),
            gateway_id="gw",
            on_message=self.heard.append,
            on_recovered=lambda: self.recoveries.append(list(self.broker.calls)),
            opener=self.broker.open,
            jitter=lambda: 1.0,
        )
        self.thread = threading.Thread(target=self.subscriber.run)

    def start(self) -> None:
        self.thread.start()

    def start_connected(self) -> Subscriber:
        self.start()
        until(lambda: self.subscriber.connected, SECONDS, "connected")
        return self.subscriber

    def stop(self) -> None:
        self.subscriber.stop()
        if self.thread.ident is not None:
            self.thread.join(SECONDS)
            assert not self.thread.is_alive()
