"""Runs at the start of a Python under libfaketime (its folder is in PYTHONPATH).

libfaketime 0.9.10, told to leave the monotonic clock alone, breaks `clock_nanosleep` (EINVAL), and with it
`time.sleep`. `select` it leaves alone.
"""

import select
import time


def _sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = _sleep
