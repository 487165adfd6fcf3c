"""The AMQP connection of publisher and subscriber: py-amqp's, with buffered reads and writes.

py-amqp reads each frame with three calls of recv and offers no way to ask whether another frame is
already here; with `drain_events(timeout=0)` it spins on half a frame (amqp/transport.py, `_read`:
EAGAIN after the header is tried again at once). So the transport here reads everything available into
its own buffer, knows whether something is left (`pending`), and can hold writes back (`cork`) to send
many frames at once. Nothing here knows about notifications.
"""

# mypy: disable-error-code="no-untyped-call"
# (kombu and py-amqp carry no types)

import contextlib
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import amqp
from amqp.transport import SSLTransport, TCPTransport
from kombu.connection import Connection as KombuConnection
from kombu.transport import pyamqp

from notifier.broker import topology

GULP = 65_536  # bytes
CORK_LIMIT = 131_072  # bytes held back before they are sent anyway
CLOSE_TIMEOUT = 1.0  # seconds for the broker's answer to a polite close

LinkError = (amqp.exceptions.AMQPError, OSError, AttributeError, LookupError, ValueError, struct.error)
"""What a broken connection raises: errors of py-amqp and of the socket, and those that py-amqp raises by
accident when its connection is lost (see kombu.transport.pyamqp about AttributeError)."""


class _Gulping:
    """Mixin for py-amqp's transports: buffered reading, corked writing."""

    sock: Any
    _write: Callable[[Any], None]
    _quick_recv: Callable[[int], bytes]

    def _setup_transport(self) -> None:
        super()._setup_transport()  # type: ignore[misc]
        self._ahead, self._at = b"", 0
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._recv, self._quick_recv = self._quick_recv, self._read_ahead
        self._send, self._write = self._write, self._write_or_hold
        self._corked = False

    @property
    def pending(self) -> bool:
        """Whether bytes are buffered here, which no selector reports.

        TLS buffers none: a read is larger than its records (16 KiB, RFC 8446 section 5.1).
        """
        return self._at < len(self._ahead)

    def gather(self) -> bool:
        """Read what the socket has now into the buffer, without waiting; return whether the buffer has bytes.

        A selector is not enough: gevent's may remember readiness that a later read has used up, and TLS
        may have read only a part of a record. Raises OSError when the peer closed.
        """
        if self._at < len(self._ahead):
            return True
        timeout = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            self._ahead, self._at = self._recv(GULP), 0
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self.sock.settimeout(timeout)
        if not self._ahead:
            raise ConnectionResetError("the broker closed the connection")
        return True

    def cork(self) -> None:
        """Hold writes back until `uncork`, or until they exceed CORK_LIMIT."""
        self._corked = True

    def uncork(self) -> None:
        """Send what was held back."""
        self._corked = False
        self._flush()

    def _flush(self) -> None:
        if self._held:
            data, self._held, self._held_bytes = b"".join(self._held), [], 0
            self._send(memoryview(data))

    def _write_or_hold(self, data: bytes | memoryview) -> None:
        if not self._corked:
            self._send(data)
            return
        self._held.append(bytes(data))  # a copy: py-amqp uses its buffer again for the next frame
        self._held_bytes += len(data)
        if self._held_bytes >= CORK_LIMIT:
            self._flush()

    def _read_ahead(self, size: int) -> bytes:
        if self._at == len(self._ahead):
            self._ahead, self._at = self._recv(GULP), 0
        part = self._ahead[self._at : self._at + size]
        self._at += len(part)
        return part


class _Tcp(_Gulping, TCPTransport):  # type: ignore[misc]
    pass


class _Tls(_Gulping, SSLTransport):  # type: ignore[misc]
    pass


class Channel(pyamqp.Channel):
    """py-amqp's channel, with barriers that do not block."""

    def barrier(self, passed: Callable[[], None]) -> None:
        """Call `passed` when the broker has handled everything that was sent before.

        A channel's methods are handled and answered in order (AMQP 0-9-1, section 4.7). The barrier
        is basic.qos without limits.
        """
        self._barriers.append(passed)
        self.send_method(amqp.spec.Basic.Qos, "lBb", (0, 0, False))

    def unbind(self, queue: str, exchange: str, key: str) -> None:
        """Remove a binding without waiting for the answer (the method has no `nowait`)."""
        self.send_method(amqp.spec.Queue.Unbind, "BsssF", (0, queue, exchange, key, {}))

    @property
    def unanswered(self) -> int:
        """The number of barriers that the broker has not answered."""
        return len(self._barriers)

    def _setup_listeners(self) -> None:
        super()._setup_listeners()
        self._barriers: deque[Callable[[], None]] = deque()
        self._callbacks[amqp.spec.Basic.QosOk] = self._on_answer
        self._callbacks[amqp.spec.Queue.UnbindOk] = lambda: None

    def _on_answer(self) -> None:
        passed = self._barriers.popleft()
        passed()


class Connection(pyamqp.Connection):
    """py-amqp's connection over the transports above."""

    Channel = Channel

    def Transport(  # noqa: N802
        self,
        host: str,
        connect_timeout: float,
        ssl: Any = False,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        **rest: Any,
    ) -> Any:
        """Return the transport (the name and the arguments are py-amqp's)."""
        rest |= {"read_timeout": read_timeout, "write_timeout": write_timeout}
        if ssl:
            return _Tls(host, connect_timeout=connect_timeout, ssl=ssl, **rest)
        return _Tcp(host, connect_timeout=connect_timeout, **rest)


class _Kombu(pyamqp.Transport):
    Connection = Connection


def _open(url: str, timeout: float, **options: Any) -> Connection:
    """Connect to one broker, within about `timeout` seconds. Raises one of LinkError."""
    client = KombuConnection(
        url,
        transport=_Kombu,
        connect_timeout=timeout,
        ssl=topology.tls(url),
        heartbeat=options.pop("heartbeat", 0),
        transport_options={"socket_settings": topology.socket_settings(), **options},
    )
    connection: Connection = client.transport.establish_connection()
    return connection


class Dialer:
    """Connects to the first broker of the list that answers, trying the last good one first."""

    def __init__(self, options: topology.BrokerOptions, name: str) -> None:
        self._urls = list(options.urls)
        self._timeout = options.connect_timeout
        self._name = name

    def dial(self, deadline: float, **options: Any) -> Connection:
        """Return an open connection; `deadline` is on the monotonic clock.

        Raises the failure of the last broker, one of LinkError.
        """
        properties = {"connection_name": self._name}
        error: Exception = TimeoutError("no time left to connect")
        for url in list(self._urls):
            timeout = min(self._timeout, deadline - time.monotonic())
            if timeout <= 0:
                break
            try:
                connection = _open(url, timeout, client_properties=properties, **options)
            except LinkError as exc:
                error = exc
            else:
                self._urls.remove(url)
                self._urls.insert(0, url)
                return connection
        raise error


def close(connection: Connection) -> None:
    """Close with AMQP's handshake, within about a second, whatever the broker answers."""
    try:
        if connection.connected:
            connection.sock.settimeout(CLOSE_TIMEOUT)
            connection.close()
    except LinkError:
        pass
    finally:
        drop(connection)


def drop(connection: Connection) -> None:
    """Close the socket at once, without a handshake (the broker does not read, or is gone)."""
    with contextlib.suppress(*LinkError):
        connection.collect()


def forget(connection: Connection) -> None:
    """Close this process's copy of the socket only: the connection belongs to the parent."""
    transport = connection._transport  # noqa: SLF001 - the public property would connect
    if transport is not None and transport.sock is not None:
        transport.sock.close()
        transport.sock = None
