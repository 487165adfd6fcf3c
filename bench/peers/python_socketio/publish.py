"""Publish through Redis at a steady rate: `python publish.py COUNT RATE USERS`. The title is the time."""

import os
import sys
import time

import socketio


def main():
    """Publish all messages."""
    count, rate, users = map(int, sys.argv[1:4])
    external = socketio.RedisManager(os.environ["REDIS_URL"], write_only=True)
    external.emit("warm", {}, room="nobody")
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        alert = {"title": str(time.monotonic_ns()), "message": "Your order is on its way.", "type": "success"}
        external.emit("notification", alert, room=f"user-{number % users}")


if __name__ == "__main__":
    main()
