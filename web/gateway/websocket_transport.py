"""A WebSocket over a non-blocking socket: no method waits, and it needs no greenlet of its own.

Unchanged, Flask-Sock 0.7 / simple-websocket 1.1 lose bytes (`send` calls `socket.send` once), mix frames
of concurrent senders, read without limit in a second greenlet, count neither pings nor the fragments of a
message, and accept deflate. So Flask-Sock performs only the handshake (`handshake.py`, `takeover.py`); from
then on the socket is read here, when the event loop reports data, and written by `writer.py`.
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from typing import Any

import gevent
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from notifier.core.errors import FrameTooBig, TooSlow
from notifier.core.frames import MAX_FRAME
from web.gateway.takeover import TakenSocket
from web.gateway.text_frame import text_frame
from web.gateway.transport import PeerClosed
from web.gateway.writer import Writer

# Bytes read at once. They may be 680 empty frames, which take 5 ms, in which nothing else is served.
RECEIVE = 4 * 1024
DRAIN = 64 * 1024  # bytes read at once when data is dropped
CLOSE_WAIT = 2.0  # seconds a peer has to answer our close frame
SENT_AT_ONCE = 64 * 1024  # bytes of frames joined into one send
READABLE = 1
NEVER = float("inf")


class State(Enum):
    """The state of a WebSocketTransport."""

    OPEN = auto()
    CLOSING = auto()  # the close frame is sent, or waits behind what is pending
    DRAINING = auto()  # until the peer hangs up too
    GONE = auto()


class WebSocketTransport:
    """A WebSocket as a Transport.

    Args:
        taken: the socket.
        ping_interval: seconds of silence after which the peer is pinged, and after which it counts
            as dead when it did not answer.
        slow_timeout: seconds without progress (not one byte sent) after which the peer is too slow.
    """

    __slots__ = (
        "_drain_until", "_heard_at", "_message", "_ping_interval", "_pinged", "_protocol", "_readable",
        "_reader", "_slow_timeout", "_sock", "_state", "_wake", "_writer",
    )  # fmt: skip

    def __init__(self, taken: TakenSocket, *, ping_interval: float, slow_timeout: float) -> None:
        self._sock = taken.sock
        self._protocol = taken.protocol
        self._readable = taken.read_ahead
        self._state = State.OPEN
        self._message: bytearray | None = None  # the fragments of an incomplete message
        self._ping_interval = ping_interval
        self._slow_timeout = slow_timeout
        self._heard_at = time.monotonic()
        self._drain_until = NEVER
        self._pinged = False
        self._reader: Any = gevent.get_hub().loop.io(taken.sock.fileno(), READABLE)
        self._writer = Writer(taken.sock, self._written)
        self._wake: Callable[[], None] = _nothing

    def start(self, wake: Callable[[], None]) -> None:
        """Begin to call `wake` from the event loop when there is something to do."""
        self._wake = wake

    # ---------------------------------------------------------------- deadlines

    @property
    def blocked(self) -> bool:
        """Whether the peer has not yet received everything sent: then send nothing more, and read nothing."""
        return self._writer.blocked

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self._state is State.GONE

    @property
    def due(self) -> float:
        """When `check` or `expire` has something to do, in monotonic seconds."""
        if self._state is State.GONE:
            return NEVER
        if self._state is State.DRAINING:
            return self._drain_until
        if self._writer.blocked:
            return self._writer.moved_at + self._slow_timeout
        return self._heard_at + self._ping_interval * (2 if self._pinged else 1)

    def check(self) -> None:
        """Ping a silent peer.

        Raises:
            PeerClosed: it stays silent.
            TooSlow: it has received nothing for too long. Pending frames are dropped, except one that is
                partly sent, and the peer has the same time again for it and the close frame.
        """
        if self._writer.cut:
            self._readable = True  # `read` yields what it sent before, then raises PeerClosed
        now = time.monotonic()
        if now < self.due:
            return
        if self._writer.blocked:
            self._writer.keep_started()
            raise TooSlow(f"the reader took nothing for {self._slow_timeout:g} s")
        if self._readable or self._anything_to_read():
            return
        if self._pinged:
            raise PeerClosed("no answer to a ping")
        self._pinged = True
        self._writer.send(self._protocol.send(Ping()))

    def _anything_to_read(self) -> bool:
        """Check for data, because the event loop does not do so during a turn."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass  # which `read` gets again
        self._readable = True
        return True

    # ---------------------------------------------------------------- frames in

    def watch(self) -> None:
        """Call `wake` when there is something to read, and the peer takes what is sent."""
        if self._writer.blocked:
            return  # `_written` wakes
        if self._readable:
            self._wake()
        elif not self._reader.active:
            self._reader.start(self._on_readable)

    def _on_readable(self) -> None:
        self._reader.stop()  # until it is read: the watcher is level-triggered
        self._readable = True
        self._wake()

    def read(self) -> Iterator[str | bytes | None]:
        """Yield the frames that have arrived, in order, without waiting.

        None is a frame that ends no message: a ping, a pong, a fragment. Each frame is parsed only when it
        is asked for, so handle a frame before asking for the next. Then everything before a close
        frame is handled before the close is answered, the peer's own or one that an invalid frame
        causes (RFC 6455, section 5.5.1). When the caller does not ask for the next frame, the next
        call continues with it.

        Raises PeerClosed when the peer has closed, broke RFC 6455, or is gone.
        """
        if not self._readable:
            return
        yield from self._frames()  # left by an earlier call
        if self._state is not State.OPEN:
            return
        self._receive()
        yield from self._frames()
        self._readable = False

    def _frames(self) -> Iterator[str | bytes | None]:
        for event in self._protocol.events():
            if isinstance(event, CloseConnection):
                raise self._closed(event)  # the peer's own, or for a frame that breaks RFC 6455
            if isinstance(event, Ping):
                self._writer.send(self._protocol.send(event.response()))
            if isinstance(event, TextMessage | BytesMessage):
                end = self._piece(event)
                if end is None and self._message and len(self._message) > MAX_FRAME:
                    raise self._closed(CloseConnection(FrameTooBig.close_code, FrameTooBig.title))
                if end is not None or event.frame_finished:
                    yield end
            else:
                yield None
            if self._state is not State.OPEN:
                return  # the caller has closed it

    def _receive(self) -> None:
        try:
            data = self._sock.recv(RECEIVE)
        except BlockingIOError:
            if self._writer.cut:
                raise PeerClosed("the connection was cut") from None
            return
        except OSError as exc:
            raise PeerClosed(str(exc)) from exc
        if not data:
            raise PeerClosed("the connection was cut")
        self._heard_at, self._pinged = time.monotonic(), False
        self._protocol.receive_data(data)

    def _closed(self, event: CloseConnection) -> PeerClosed:
        """Answer a close frame; return the error to raise."""
        self._writer.send(self._protocol.send(event.response()))
        self._state = State.CLOSING
        return PeerClosed("closed", int(event.code))

    def _piece(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        """Return the message that this fragment ends; None: more fragments follow."""
        if event.message_finished and not self._message:
            return event.data if isinstance(event, TextMessage) else bytes(event.data)
        if self._message is None:
            self._message = bytearray()
        self._message += event.data.encode() if isinstance(event, TextMessage) else event.data
        if not event.message_finished:
            return None
        whole, self._message = bytes(self._message), None
        return whole.decode() if isinstance(event, TextMessage) else whole

    # ---------------------------------------------------------------- frames out

    def send(self, frames: Iterable[bytes]) -> None:
        """Send text frames (UTF-8), in as few socket calls as possible. Raises PeerClosed."""
        if self._state is not State.OPEN or self._protocol.state is not ConnectionState.OPEN:
            raise PeerClosed("closed")
        chunk: list[bytes] = []
        size = 0
        for frame in frames:
            data = text_frame(frame)
            chunk.append(data)
            size += len(data)
            if size >= SENT_AT_ONCE:
                self._writer.send(*chunk)
                chunk, size = [], 0
        if chunk:
            self._writer.send(*chunk)

    def _written(self) -> None:
        """Handle that the peer has received everything, or is gone."""
        self._readable = True  # perhaps: it was not checked meanwhile
        if self._state is State.CLOSING:
            self.release()
        self._wake()

    # ---------------------------------------------------------------- the end

    def close(self, code: int, reason: str) -> None:
        """Send the close frame after everything else; the peer's is handled later."""
        if self._state is not State.OPEN:
            return
        self._state = State.CLOSING
        try:
            self._writer.send(self._protocol.send(CloseConnection(code, _short(reason))))
        except LocalProtocolError:
            self._writer.cut = True

    def release(self) -> None:
        """Release the socket: at once if the peer is gone, else when it has closed.

        The kernel resets a connection that is closed with unread bytes; our close frame could be lost. So
        what the peer still sends is read and dropped, for CLOSE_WAIT at most.
        """
        if self._state in (State.DRAINING, State.GONE):
            return
        if self._writer.cut or self._state is State.OPEN:
            self._end()
        elif not self._writer.blocked:
            self._state, self._drain_until = State.DRAINING, time.monotonic() + CLOSE_WAIT
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                self._end()
            else:
                self._reader.stop()
                self._reader.start(self._drain)

    def _drain(self) -> None:
        try:
            hung_up = not self._sock.recv(DRAIN)
        except BlockingIOError:
            return
        except OSError:
            hung_up = True
        if hung_up:
            self._end()

    def expire(self) -> None:
        """End a close that takes too long."""
        if time.monotonic() >= self.due:
            self._end()

    def _end(self) -> None:
        """Release everything, watchers first: a closed descriptor may already belong to another socket."""
        if self._state is State.GONE:
            return
        self._state = State.GONE
        self._writer.close()
        self._reader.stop()
        self._reader.close()
        self._sock.close()
        self._wake()
        self._wake = _nothing


def _nothing() -> None:
    """Do nothing."""


def _short(reason: str) -> str:
    """Cut a reason to what a close frame holds: 125 bytes with the code (RFC 6455, section 5.5)."""
    return reason.encode()[:120].decode(errors="ignore")
