"""Publish through Redis at a steady rate: `python publish.py COUNT RATE USERS`. The title is the time."""

import json
import os
import sys
import time

import redis


def main():
    """Publish them all."""
    count, rate, users = map(int, sys.argv[1:4])
    server = redis.from_url(os.environ["REDIS_URL"])
    server.ping()
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        alert = {"title": str(time.monotonic_ns()), "message": "Your order is on its way.", "type": "success"}
        server.publish("events", json.dumps({"user": f"user-{number % users}", "data": alert}))


if __name__ == "__main__":
    main()
