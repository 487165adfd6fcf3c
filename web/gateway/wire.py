"""One WebSocket on gevent.

Flask-Sock 0.7 / simple-websocket 1.1 as they come lose bytes (`send` calls `socket.send` once), mix
frames of concurrent senders, read without bound in a second greenlet, and accept deflate. All of it
is cured here, at the root: the socket in the WSGI environ is wrapped before Flask-Sock sees it, and
the handler's own greenlet reads, when the event loop says that there is something to read.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import RLock
from simple_websocket import Server
from wsproto.events import CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from notifier.errors import TooSlow
from notifier.frames import MAX_FRAME, SUBPROTOCOL

RECEIVE = 16 * 1024  # bytes read at once
CLOSE_WAIT = 2.0  # seconds a peer has to answer our close frame
ABNORMAL, TOO_BIG = 1006, 1009  # close codes
SENT_AT_ONCE = 64 * 1024  # bytes of frames joined into one send


class Gone(Exception):
    """The peer is gone.

    Attributes:
        code: the close code it sent, or 1006 for none (RFC 6455, section 7.1.5).
    """

    def __init__(self, reason: str, code: int = ABNORMAL) -> None:
        super().__init__(reason)
        self.code = code


class WholeSocket:
    """A socket whose `send` sends everything: under a lock, and not for ever.

    Args:
        sock: gevent's socket.
        timeout: seconds without progress (not one byte taken) after which `send` raises TooSlow.
    """

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


class NoThread:
    """Stands where simple-websocket wants its reader thread: the handler's greenlet reads itself."""

    name = "none"

    def __init__(self, target: Callable[[], None]) -> None:
        del target

    def start(self) -> None:
        """Start nothing."""


#: What Flask-Sock passes to simple-websocket.
SERVER_OPTIONS = {
    "subprotocols": [SUBPROTOCOL],
    "max_message_size": MAX_FRAME,  # characters; the session counts bytes
    "thread_class": NoThread,
    "event_class": Event,
}


class Wire:
    """Frames in and out of one WebSocket; all methods but `wake` belong to the handler's greenlet.

    Args:
        ws: Flask-Sock's WebSocket, over a WholeSocket.
        ping_interval: seconds of silence after which the peer is pinged, and after which it counts
            as dead when it did not answer.
    """

    def __init__(self, ws: Server, ping_interval: float) -> None:
        self._ws = ws
        # The handshake is over: what speaks HTTP is not kept beside what speaks WebSocket.
        ws.ws = ws.ws.connection
        self._sock: WholeSocket = ws.sock
        self._event: Event = ws.event
        self._readable = False
        self._watcher: Any = gevent.get_hub().loop.io(ws.sock.fileno(), 1)
        self._watcher.start(self._on_readable)
        self._ping_interval = ping_interval
        self._heard_at = time.monotonic()
        self._pinged = False

    # ---------------------------------------------------------------- waiting

    def wake(self) -> None:
        """Let `wait` return: something is to be sent. Callable from anywhere in the process."""
        self._event.set()

    def _on_readable(self) -> None:
        self._watcher.stop()  # until it is read: the watcher is level-triggered
        self._readable = True
        self._event.set()

    def wait(self, timeout: float) -> None:
        """Wait until there is something to read or to send, `timeout` seconds at most.

        Pings a silent peer; raises Gone when it stays silent, or has closed behind its last frame.
        """
        if not self._ws.connected:
            raise Gone("the peer closed", int(self._ws.close_reason))
        if not self._readable:
            left = self._heard_at + self._ping_interval * (2 if self._pinged else 1) - time.monotonic()
            if left <= 0:
                self._ping()
            else:
                self._event.wait(max(0.0, min(timeout, left)))
        self._event.clear()

    def _ping(self) -> None:
        if self._pinged:
            raise self._gone("no answer to a ping")
        self._pinged = True
        self._raw(self._ws.ws.send(Ping()))

    # ---------------------------------------------------------------- frames

    def read(self) -> list[str | bytes]:
        """Return the frames that have come, without waiting. Raises Gone when the peer is gone."""
        if not self._readable:
            return []
        self._receive()
        frames: list[str | bytes] = self._ws.input_buffer
        self._ws.input_buffer = []
        if not frames and not self._ws.connected:
            raise Gone("the peer closed", int(self._ws.close_reason))
        return frames

    def _receive(self) -> None:
        try:
            data = self._sock.recv_now(RECEIVE)
        except OSError as exc:
            raise self._gone(str(exc)) from exc
        if data == b"":
            raise self._gone("the connection was cut")
        if data:
            self._heard_at, self._pinged = time.monotonic(), False
            try:
                self._ws.ws.receive_data(data)
                self._ws.connected = self._ws._handle_events()  # noqa: SLF001  its reader thread's step
            except (LocalProtocolError, RemoteProtocolError, TooSlow, OSError) as exc:
                raise self._gone(str(exc)) from exc
            if not self._ws.connected and self._ws.incoming_message_len > MAX_FRAME:
                self._drain()  # simple-websocket has sent the close frame; let it arrive
                raise Gone("frame too big", TOO_BIG)
        self._readable = False
        if self._ws.connected:
            self._watcher.start(self._on_readable)

    def send(self, frames: Iterable[bytes]) -> None:
        """Send text frames (UTF-8), as few socket calls as possible. Raises TooSlow and Gone."""
        chunk: list[bytes] = []
        size = 0
        for frame in frames:
            if not self._ws.connected:
                raise Gone("the peer closed", int(self._ws.close_reason))
            data = self._ws.ws.send(TextMessage(data=frame.decode()))
            chunk.append(data)
            size += len(data)
            if size >= SENT_AT_ONCE:
                self._raw(b"".join(chunk))
                chunk, size = [], 0
        if chunk:
            self._raw(b"".join(chunk))

    def _raw(self, data: bytes) -> None:
        try:
            self._sock.send(data)
        except OSError as exc:
            raise self._gone(str(exc)) from exc

    def _gone(self, reason: str) -> Gone:
        self._ws.connected = False  # so that nobody tries to send a close frame
        return Gone(reason)

    # ---------------------------------------------------------------- the end

    def close(self, code: int, reason: str) -> None:
        """Send the close frame and wait for the peer's, so that no reset overtakes it."""
        if not self._ws.connected:
            return
        self._ws.connected = False
        with contextlib.suppress(LocalProtocolError):
            data = self._ws.ws.send(CloseConnection(code, _short(reason)))
            if self._sock.finish(data):
                self._drain()

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            self._sock.settimeout(CLOSE_WAIT)
            deadline = time.monotonic() + CLOSE_WAIT
            while time.monotonic() < deadline and self._sock.recv(RECEIVE):
                pass

    def release(self) -> None:
        """Let go of the event loop's watcher."""
        self._watcher.stop()
        self._watcher.close()


def _short(reason: str) -> str:
    """A close frame has 125 bytes at most, two of them the code (RFC 6455, section 5.5)."""
    return reason.encode()[:120].decode(errors="ignore")
