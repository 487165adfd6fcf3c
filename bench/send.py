"""Send with `send_notification`: `python -m bench.send COUNT USERS`, in eight threads, as in a server."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from bench.target import user
from notifier import Alert, send_notification

THREADS = 8


def main() -> None:
    """Send all alerts; an alert's title is its number."""
    count, users = map(int, sys.argv[1:3])

    def one(number: int) -> None:
        alert = Alert(title=str(number), message="Your order is on its way.", type="success")
        send_notification(user(number % users), alert)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(count)))


if __name__ == "__main__":
    main()
