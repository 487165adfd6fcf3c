"""What a fork must not find half made, and what a forked child makes again.

A child has only the thread that forked: a lock that another thread holds stays held, a module that another
thread is importing stays half imported (https://docs.python.org/3/library/os.html#os.fork), and connections
are shared with the parent. So:

1. Code that makes something for later use by a child, or imports modules for it, holds `making`, and a fork
   waits for it. Nothing that waits for a network may run under it.
2. An object with locks, threads or connections registers a method with `in_child`.
"""

import os
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

making = threading.RLock()
_resets: dict[WeakMethod[Callable[[], Any]], None] = {}  # in the order of their registration


def in_child(reset: Callable[[], Any]) -> None:
    """Call the bound method `reset` in each forked child, before anything else of it runs there.

    The method's object is held weakly. An exception is printed and stops nothing, as it is with
    `os.register_at_fork`.
    """
    _resets[WeakMethod(reset, lambda gone: _resets.pop(gone, None))] = None


def _reset_all() -> None:
    for reference in list(_resets):
        reset = reference()
        if reset is not None:
            reset()


os.register_at_fork(before=making.acquire, after_in_parent=making.release, after_in_child=making.release)
os.register_at_fork(after_in_child=_reset_all)
