"""A way to end another thread's or greenlet's wait: a pair of sockets that a selector can watch."""

import contextlib
import socket


class Waker:
    """`wake()` makes `fileno()` readable until `clear()`."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._woken = False

    def fileno(self) -> int:
        """The descriptor to watch for reading."""
        return self._reader.fileno()

    def wake(self) -> None:
        """End the wait; many calls before `clear` cost one byte."""
        if not self._woken:
            self._woken = True
            with contextlib.suppress(OSError):  # full: it is readable already; closed: nobody waits
                self._writer.send(b"w")

    def clear(self) -> None:
        """Take the byte away. What was asked for before this call is seen by whoever looks after it."""
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(16)
        self._woken = False

    def close(self) -> None:
        """Close both ends."""
        self._reader.close()
        self._writer.close()
