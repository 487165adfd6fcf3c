"""A client's socket for Flask-Sock's handshake, whose answer must go out whole."""

import socket
from typing import Any


class SendAllSocket:
    """A socket whose `send` sends everything. Raises TimeoutError when the reader takes nothing for too long.

    Args:
        sock: the server's socket.
        timeout: seconds without progress.
    """

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        sock.settimeout(timeout)

    def send(self, data: bytes) -> int:
        """Send all of `data`; return its length. Raises OSError."""
        view = memoryview(data)
        while view:
            view = view[self._sock.send(view) :]
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
