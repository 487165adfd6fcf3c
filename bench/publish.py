"""Publish to a gateway at a steady rate, without API and worker; an alert's title is its time.

python -m bench.publish ours COUNT RATE USERS
python -m bench.publish nchan PORT COUNT RATE USERS
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator

from bench.load.dialects import Plain
from bench.load.http import Poster
from bench.target import Target, user
from notifier.broker.message import Message
from notifier.broker.publisher import Publisher
from notifier.core.frames import event
from notifier.core.log import Entry
from notifier.settings import Settings

MESSAGE = "Your order is on its way."


def paced(count: int, rate: float) -> Iterator[tuple[int, float]]:
    """Yield each number, and the seconds until it is due."""
    began = time.monotonic()
    for number in range(count):
        yield number, max(0.0, began + number / rate - time.monotonic())


def ours(count: int, rate: float, users: int) -> None:
    """Publish over RabbitMQ, each message with a confirm, as the worker does."""
    publisher = Publisher(Settings.load())
    seqs: Counter[str] = Counter()
    publisher.publish([Message("nobody", 1, b"{}")])  # connects
    for number, wait in paced(count, rate):
        time.sleep(wait)
        name = user(number % users)
        seqs[name] += 1
        data = {"title": str(time.monotonic_ns()), "message": MESSAGE, "type": "success"}
        identity = f"00000000-0000-7000-8000-{number:012x}"
        entry = Entry(seqs[name], "alert", identity, "system", int(time.time() * 1000), data, seqs[name])
        publisher.publish([Message(name, entry.seq, event(name, entry))])
    publisher.close()


async def nchan(port: int, count: int, rate: float, users: int) -> None:
    """Publish with a POST for each message."""
    poster = Poster(Target("nchan", port, Plain("/")))
    async with asyncio.TaskGroup() as group:
        for number, wait in paced(count, rate):
            await asyncio.sleep(wait)
            body = {"title": str(time.monotonic_ns()), "message": MESSAGE, "type": "success"}
            group.create_task(poster.post(f"/pub?id={user(number % users)}", body))
    poster.close()


def main() -> None:
    """Publish all messages."""
    where, *numbers = sys.argv[1:]
    if where == "nchan":
        asyncio.run(nchan(*map(int, numbers)))
    else:
        ours(*map(int, numbers))


if __name__ == "__main__":
    main()
