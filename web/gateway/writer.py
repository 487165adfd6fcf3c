"""Send complete frames over a non-blocking socket; what a slow reader does not read yet waits here."""

import _socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import gevent

JOINED = 64 * 1024  # bytes of frames joined into one call of `send`
AT_ONCE = 4  # such calls before other sockets have their turn
WRITABLE = 2


class Writer:
    """The outgoing frames of one socket.

    Args:
        sock: non-blocking.
        written: called by the event loop when everything that waited has been sent, or cannot be sent.

    Attributes:
        cut: whether a send has failed, so that the peer receives nothing any more.
        moved_at: when the kernel last accepted bytes, or the wait began (monotonic seconds).
    """

    __slots__ = ("_pending", "_sock", "_watcher", "_written", "cut", "moved_at")

    def __init__(self, sock: _socket.socket, written: Callable[[], None]) -> None:
        self._sock = sock
        self._written = written
        self._pending: PendingBytes | None = None
        self._watcher: Any = None
        self.cut = False
        self.moved_at = 0.0

    @property
    def blocked(self) -> bool:
        """Whether anything waits."""
        return self._pending is not None

    def send(self, *frames: bytes) -> None:
        """Send frames, or queue them behind waiting ones. A failure raises nothing, but sets `cut`."""
        if self.cut:
            return
        if self._pending is not None:
            self._pending.add(frames)
            return
        data = b"".join(frames)
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.cut = True
            self._written()
            return
        if sent < len(data):
            self._pending = PendingBytes(frames, sent)
            self.moved_at = time.monotonic()
            self._watcher = gevent.get_hub().loop.io(self._sock.fileno(), WRITABLE)
            self._watcher.start(self._on_writable)

    def keep_started(self) -> None:
        """Drop what waits except a partly sent frame, and restart the time of waiting."""
        if self._pending is not None:
            self._pending.keep_started()
            self.moved_at = time.monotonic()

    def _on_writable(self) -> None:
        assert self._pending is not None
        try:
            if self._pending.flush(self._sock):
                self.moved_at = time.monotonic()
        except OSError:
            self.cut = True
        if self.cut or not self._pending:
            self.stop()
            self._written()

    def stop(self) -> None:
        """Drop what waits, and release the event loop's watcher."""
        self._pending = None
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None

    def close(self) -> None:
        """Release everything."""
        self.stop()
        self._written = _nothing


def _nothing() -> None:
    """Do nothing."""


class PendingBytes:
    """Complete frames that wait until the kernel accepts them.

    Args:
        frames: encoded, in order.
        sent: how many bytes of the first ones have been sent.
    """

    __slots__ = ("_frames", "_sent")

    def __init__(self, frames: Iterable[bytes], sent: int) -> None:
        self._frames = deque(frames)
        self._sent = 0
        self._taken(sent)

    def add(self, frames: Iterable[bytes]) -> None:
        """Append frames."""
        self._frames.extend(frames)

    def keep_started(self) -> None:
        """Drop all frames except a partly sent one."""
        first = self._frames[0] if self._frames and self._sent else None
        self._frames.clear()
        if first is not None:
            self._frames.append(first)

    def flush(self, sock: _socket.socket) -> bool:
        """Send what the kernel accepts now; return whether it accepted anything. Raises OSError."""
        taken = False
        for _ in range(AT_ONCE):
            if not self._frames:
                break
            try:
                sent = sock.send(self._head())
            except BlockingIOError:
                break
            self._taken(sent)
            taken = True
        return taken

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return bool(self._frames)

    def _head(self) -> memoryview:
        first = self._frames[0]
        if len(first) - self._sent >= JOINED or len(self._frames) == 1:
            return memoryview(first)[self._sent :]
        chunk, size = [], -self._sent
        for frame in self._frames:
            chunk.append(frame)
            size += len(frame)
            if size >= JOINED:
                break
        return memoryview(b"".join(chunk))[self._sent :]

    def _taken(self, sent: int) -> None:
        self._sent += sent
        while self._frames and self._sent >= len(self._frames[0]):
            self._sent -= len(self._frames.popleft())
