"""A way to end another thread's or greenlet's wait: a pair of sockets that a selector can watch."""

import contextlib
import socket


class SelfPipe:
    """`wake()` makes `fileno()` readable until `clear()`.

    The sockets are made by the first wait, in its thread; before, there is no wait to end.
    """

    def __init__(self) -> None:
        self._pair: tuple[socket.socket, socket.socket] | None = None
        self._woken = False

    def fileno(self) -> int:
        """Return the descriptor to watch for reading."""
        if self._pair is None:
            reader, writer = socket.socketpair()
            reader.setblocking(False)
            writer.setblocking(False)
            self._pair = reader, writer
            if self._woken:
                writer.send(b"w")
        return self._pair[0].fileno()

    def wake(self) -> None:
        """End the wait; many calls before `clear` cost one byte."""
        if not self._woken:
            self._woken = True
            if self._pair is not None:
                with contextlib.suppress(OSError):  # full: it is readable already; closed: nothing waits
                    self._pair[1].send(b"w")

    def clear(self) -> None:
        """Remove the byte. Look for work after this call, not before, or some may be missed."""
        if self._pair is not None:
            with contextlib.suppress(BlockingIOError):
                self._pair[0].recv(16)
        self._woken = False

    def close(self) -> None:
        """Close both ends."""
        for end in self._pair or ():
            end.close()
