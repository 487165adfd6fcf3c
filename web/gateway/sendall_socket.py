"""A client's socket for the gateway: whole frames out, and never for ever."""

import socket
from typing import Any

from gevent.lock import RLock

from notifier.core.errors import TooSlow


class SendAllSocket:
    """A socket whose `send` sends everything: under a lock, and not for ever.

    Args:
        sock: gevent's socket.
        timeout: seconds without progress (not one byte taken) after which `send` raises TooSlow.
    """

    __slots__ = ("_lock", "_rest", "_sock", "timeout")

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._lock = RLock()
        self._rest: memoryview[int] | None = None  # what a stuck frame still lacks
        self.timeout = timeout
        sock.settimeout(timeout)

    def send(self, data: bytes) -> int:
        """Send all of `data`; return its length. Raises TooSlow and OSError."""
        with self._lock:
            if self._rest is not None:
                raise TooSlow("an earlier frame is stuck")
            self._push(memoryview(data))
        return len(data)

    sendall = send

    def recv_now(self, size: int) -> bytes | None:
        """Return what has come, b"" at the end of the stream; None when nothing has. Never waits."""
        self._sock.settimeout(0.0)
        try:
            return self._sock.recv(size)
        except BlockingIOError:
            return None
        finally:
            self._sock.settimeout(self.timeout)

    def _push(self, view: "memoryview[int]") -> None:
        try:
            while view:
                view = view[self._sock.send(view) :]
        except TimeoutError:
            self._rest = view
            raise TooSlow(f"the reader took nothing for {self.timeout:g} s") from None

    def finish(self, last: bytes) -> bool:
        """Complete a stuck frame and append `last`, if the reader comes back in time; whether it did."""
        with self._lock:
            rest, self._rest = self._rest, None
            try:
                self._push(memoryview(bytes(rest or b"") + last))
            except (TooSlow, OSError):
                return False
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
