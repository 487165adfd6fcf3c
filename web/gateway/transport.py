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
from collections.abc import Iterable, Iterator
from typing import Any

import gevent
from gevent.event import Event
from simple_websocket import Server
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from notifier.core.errors import FrameTooBig
from notifier.core.frames import MAX_FRAME
from web.gateway.sendall_socket import SendAllSocket

# Bytes read at once. They may be 680 empty frames, which take 5 ms: nobody else is served meanwhile.
RECEIVE = 4 * 1024
DRAIN = 64 * 1024  # bytes read at once of what is dropped
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


class WebSocketTransport:
    """Frames in and out of one WebSocket; all methods but `wake` belong to the handler's greenlet.

    Args:
        ws: Flask-Sock's WebSocket, over a SendAllSocket.
        ping_interval: seconds of silence after which the peer is pinged, and after which it counts
            as dead when it did not answer.
    """

    __slots__ = (
        "_cut", "_event", "_heard_at", "_message", "_ping_interval", "_pinged", "_readable", "_sock",
        "_unread", "_watcher", "_ws",
    )  # fmt: skip

    def __init__(self, ws: Server, ping_interval: float) -> None:
        self._ws = ws
        # The handshake is over: what speaks HTTP is not kept beside what speaks WebSocket.
        ws.ws = ws.ws.connection
        self._sock: SendAllSocket = ws.sock
        self._event: Event = ws.event
        self._readable = False
        self._cut = False  # a send has failed: the peer receives nothing any more
        self._unread = False  # closed with frames that may be unread: `release` reads them
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

        Pings a silent peer; raises PeerClosed when it stays silent.
        """
        if not self._ws.connected:
            raise PeerClosed("closed", int(self._ws.close_reason))
        if self._cut:
            self._readable = True  # `read` yields what it sent before, then raises PeerClosed
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

    def read(self) -> Iterator[str | bytes | None]:
        """Yield the frames that have arrived, in order, without waiting.

        None is a frame that ends no message: a ping, a pong, a fragment. Each frame is parsed only when it
        is asked for, so handle a frame before asking for the next. Then everything in front of a close
        frame is handled before the close frame is answered, the peer's own as well as one that a wrong
        frame causes (RFC 6455, section 5.5.1).

        Raises:
            PeerClosed: the peer has closed, broke RFC 6455, or is gone.
            TooSlow: a pong could not be sent.
        """
        if not self._readable:
            return
        self._receive()
        for event in self._ws.ws.events():
            if isinstance(event, CloseConnection):
                raise self._closed(event)  # the peer's own, or for a frame that breaks RFC 6455
            if isinstance(event, Ping):
                self._raw(self._ws.ws.send(event.response()))
            if isinstance(event, TextMessage | BytesMessage):
                end = self._piece(event)
                if end is None and self._message and len(self._message) > MAX_FRAME:
                    raise self._closed(CloseConnection(FrameTooBig.close_code, FrameTooBig.title))
                if end is not None or event.frame_finished:
                    yield end
            else:
                yield None
            if not self._ws.connected:
                return  # the caller has closed it
        self._readable = False
        self._watcher.start(self._on_readable)

    def _receive(self) -> None:
        try:
            data = self._sock.recv_now(RECEIVE)
        except OSError as exc:
            raise self._gone(str(exc)) from exc
        if data == b"" or (data is None and self._cut):
            raise self._gone("the connection was cut")
        if data:
            self._heard_at, self._pinged = time.monotonic(), False
            self._ws.ws.receive_data(data)

    def _closed(self, event: CloseConnection) -> PeerClosed:
        """Answer a close frame; return the error to raise."""
        self._ws.close_reason = event.code
        self._raw(self._ws.ws.send(event.response()))
        self._ws.connected = False
        self._unread = True
        return PeerClosed("closed", int(event.code))

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
        """Send bytes. A failure raises nothing: what the peer sent before it is still read."""
        if not self._cut:
            try:
                self._sock.send(data)
            except OSError:
                self._cut = True

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
        """Read and drop what the peer still sends, until it closes too, for CLOSE_WAIT at most.

        The kernel resets a connection that is closed with unread bytes; our close frame could be lost.
        """
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + CLOSE_WAIT
            while (left := deadline - time.monotonic()) > 0:
                self._sock.settimeout(left)
                if not self._sock.recv(DRAIN):
                    break
                gevent.sleep(0)  # gevent's recv does not yield while there is something to read

    def release(self) -> None:
        """Release the event loop's watcher; after a closing handshake, wait for the peer to hang up."""
        self._watcher.stop()
        self._watcher.close()
        if self._unread:
            self._drain()


def _short(reason: str) -> str:
    """Cut a reason to what a close frame holds: 125 bytes with the code (RFC 6455, section 5.5)."""
    return reason.encode()[:120].decode(errors="ignore")
