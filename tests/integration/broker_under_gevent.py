"""Run by the contract tests in a process of its own: publisher and subscriber among greenlets."""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 - the patch comes first
import sys
import time
from pathlib import Path

import gevent

from notifier.broker import Message, Publisher, Subscriber, new_gateway_id
from notifier.settings import Settings


def main(url: str, var_dir: str) -> None:
    settings = Settings(_env_file=None, broker_url=url, var_dir=Path(var_dir))
    heard: list[tuple[str, int]] = []
    subscriber = Subscriber(
        settings,
        gateway_id=new_gateway_id(),
        on_message=lambda m: heard.append((m.user_id, m.seq)),
        on_recovered=lambda: None,
    )
    loop = gevent.spawn(subscriber.run)
    publisher = Publisher(settings)
    longest = [0.0]

    def beat() -> None:
        while True:
            before = time.monotonic()
            gevent.sleep(0.01)
            longest[0] = max(longest[0], time.monotonic() - before)

    beating = gevent.spawn(beat)

    def user(number: int) -> None:
        assert subscriber.subscribe(f"u{number}").wait(20), number
        publisher.publish([Message(f"u{number}", 1, b"{}")])
        publisher.publish([Message(f"u{number}", 2, b"{}")])

    with gevent.Timeout(30):
        while not subscriber.connected:
            gevent.sleep(0.01)
        gevent.joinall([gevent.spawn(user, n) for n in range(200)], raise_error=True)
        while len(heard) < 400:
            gevent.sleep(0.01)
        assert all([s for u, s in heard if u == f"u{n}"] == [1, 2] for n in range(200))
        subscriber.stop()
        loop.join()
        publisher.close()
    beating.kill()
    assert longest[0] < 2.0, f"the loop kept the others waiting for {longest[0]:.2f} s"
    print("200 users heard 2 each")


main(*sys.argv[1:])
