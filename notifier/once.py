"""One lock for what a process makes once, so that no fork finds it half made.

A module that another thread is importing at the moment of a fork stays half imported in the child, and a
lock that another thread holds stays held (https://docs.python.org/3/library/os.html#os.fork). So code that
makes something for later use by a child, or imports modules for it, holds `making`, and a fork waits for it.
Nothing that waits for a network may run under it.
"""

import os
import threading

making = threading.RLock()
os.register_at_fork(before=making.acquire, after_in_parent=making.release, after_in_child=making.release)
