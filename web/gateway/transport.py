"""One WebSocket on gevent.

Flask-Sock 0.7 / simple-websocket 1.1 as they come lose bytes (`send` calls `socket.send` once), mix
frames of concurrent senders, read without bound in a second greenlet, count neither pings nor the
pieces of a message, and accept deflate. All of it is cured here, at the root: the socket in the WSGI
environ is wrapped before Flask-Sock sees it, and the handler's own greenlet reads, when the event loop
says that there is something to read. Flask-Sock's part is the handshake.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent.event import Event
from simple_websocket import Server
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from notifier.core.errors import FrameTooBig, TooSlow
from notifier.core.frames import MAX_FRAME, SUBPROTOCOL
from web.gateway.sendall_socket import SendAllSocket

# Bytes read at once. They may be 680 empty frames, which take 5 ms: nobody else is served meanwhile.
RECEIVE = 4 * 1024
CLOSE_WAIT = 2.0  # seconds a peer has to answer our close frame
ABNORMAL = 1006  # the close code of those who send none
SENT_AT_ONCE = 64 * 1024  # bytes of frames joined into one send


class PeerClosed(Exception):
    """The peer is gone.

    Attributes:
        code: the close code it sent, or 1006 for none (RFC 6455, section 7.1.5).
    """

    def __init__(self, reason: str, code: int = ABNORMAL) -> None:
        super().__init__(reason)
        self.code = code


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
    "thread_class": NoThread,
    "event_class": Event,
}


class WebSocketTransport:
    """Frames in and out of one WebSocket; all methods but `wake` belong to the handler's greenlet.

    Args:
        ws: Flask-Sock's WebSocket, over a SendAllSocket.
        ping_interval: seconds of silence after which the peer is pinged, and after which it counts
            as dead when it did not answer.
    """

    __slots__ = (
        "_event", "_heard_at", "_message", "_ping_interval", "_pinged", "_readable", "_sock", "_watcher",
        "_ws",
    )  # fmt: skip

    def __init__(self, ws: Server, ping_interval: float) -> None:
        self._ws = ws
        # The handshake is over: what speaks HTTP is not kept beside what speaks WebSocket.
        ws.ws = ws.ws.connection
        self._sock: SendAllSocket = ws.sock
        self._event: Event = ws.event
        self._readable = False
        self._watcher: Any = gevent.get_hub().loop.io(ws.sock.fileno(), 1)
        self._watcher.start(self._on_readable)
        self._message: bytearray | None = None  # the pieces of one that is not whole yet
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

        Pings a silent peer; raises PeerClosed when it stays silent, or has closed behind its last frame.
        """
        if not self._ws.connected:
            raise PeerClosed("closed", int(self._ws.close_reason))
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

    def read(self) -> list[str | bytes | None]:
        """Return the frames that have come, without waiting. Raises PeerClosed when the peer is gone.

        None stands for a frame that ends no message: a ping, a pong, a piece.
        """
        if not self._readable:
            return []
        frames = self._receive()
        if not frames and not self._ws.connected:
            raise PeerClosed("closed", int(self._ws.close_reason))
        return frames

    def _receive(self) -> list[str | bytes | None]:
        frames: list[str | bytes | None] = []
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
                frames = self._events()
            except (LocalProtocolError, RemoteProtocolError, TooSlow, OSError) as exc:
                raise self._gone(str(exc)) from exc
        self._readable = False
        if self._ws.connected:
            self._watcher.start(self._on_readable)
        return frames

    def _events(self) -> list[str | bytes | None]:
        """Answer pings and a close; return the frames."""
        frames: list[str | bytes | None] = []
        answers: list[bytes] = []
        for event in self._ws.ws.events():
            if isinstance(event, TextMessage | BytesMessage):
                if (end := self._piece(event)) is not None:
                    frames.append(end)
                elif self._message and len(self._message) > MAX_FRAME:
                    event = CloseConnection(FrameTooBig.close_code, FrameTooBig.title)  # noqa: PLW2901
                elif event.frame_finished:
                    frames.append(None)
            else:
                frames.append(None)
            if isinstance(event, Ping):
                answers.append(self._ws.ws.send(event.response()))
            elif isinstance(event, CloseConnection):
                # The peer's own, or what wsproto makes of a frame that breaks RFC 6455.
                self._ws.close_reason = event.code
                self._ws.connected = False
                answers.append(self._ws.ws.send(event.response()))
                break
        if answers:
            self._sock.send(b"".join(answers))
        if self._ws.ws.state is ConnectionState.LOCAL_CLOSING:
            self._drain()  # we closed: let it arrive
        return frames

    def _piece(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        """Return the message that this piece ends; None: it goes on."""
        if event.message_finished and not self._message:
            return event.data if isinstance(event, TextMessage) else bytes(event.data)
        if self._message is None:
            self._message = bytearray()
        self._message += event.data.encode() if isinstance(event, TextMessage) else event.data
        if not event.message_finished:
            return None
        whole, self._message = bytes(self._message), None
        return whole.decode() if isinstance(event, TextMessage) else whole

    def send(self, frames: Iterable[bytes]) -> None:
        """Send text frames (UTF-8), as few socket calls as possible. Raises TooSlow and PeerClosed."""
        chunk: list[bytes] = []
        size = 0
        for frame in frames:
            if not self._ws.connected:
                raise PeerClosed("closed", int(self._ws.close_reason))
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

    def _gone(self, reason: str) -> PeerClosed:
        self._ws.connected = False  # so that nobody tries to send a close frame
        return PeerClosed(reason)

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
