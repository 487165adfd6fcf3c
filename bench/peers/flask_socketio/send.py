"""Send from Python: `python send.py COUNT USERS`, in eight threads, as an application's server has them."""

import sys
from concurrent.futures import ThreadPoolExecutor

from tasks import notify


def one(number, users):
    """Send the alert of this number."""
    data = {"title": str(number), "message": "Your order is on its way.", "type": "success"}
    notify.delay(f"user-{number % users}", data)


def main():
    """Send them all."""
    count, users = map(int, sys.argv[1:3])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: one(number, users), range(count)))


if __name__ == "__main__":
    main()
