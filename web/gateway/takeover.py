"""Take a WebSocket's socket over from Flask-Sock, after its handshake.

Until then the server's handler serves the connection, and everything that it references would be kept while
the socket is open: the greenlet and its frames, the environ, Flask's contexts, gunicorn's parser (20 KB of
an idle socket's 30). So the gateway takes the file descriptor, and the handler returns.
"""

import _socket
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simple_websocket import Server
from wsproto.connection import Connection


@dataclass(slots=True)
class TakenSocket:
    """An open WebSocket that belongs to the gateway.

    Attributes:
        sock: a plain non-blocking socket, not gevent's.
        protocol: wsproto's connection, past the handshake; it has what was read after the request.
        read_ahead: whether it has any.
        detached: whether the server's handler may return, because it has nothing to close. Otherwise the
            handler must wait until the socket is closed.
    """

    sock: _socket.socket
    protocol: Connection
    read_ahead: bool
    detached: bool


def take_over(ws: Server, environ: Mapping[str, Any]) -> TakenSocket:
    """Take the socket from Flask-Sock's WebSocket.

    With gunicorn the descriptor is detached (a duplicate would not do: its `close` shuts the connection
    down, which all duplicates share). Return from Flask-Sock's handler then: it raises StopIteration,
    by which gunicorn knows that there is no answer to send.
    Other servers write an answer when the handler returns, so their handler has to wait.
    """
    protocol: Connection = ws.ws.connection
    read_ahead = _read_ahead(environ)
    if read_ahead:
        protocol.receive_data(read_ahead)
    detached = ws.mode == "gunicorn"
    family = ws.sock.family
    number = ws.sock.detach() if detached else socket.dup(ws.sock.fileno())
    ws.connected = False  # so that Flask-Sock sends no close frame
    sock = _socket.socket(family, socket.SOCK_STREAM, 0, number)
    sock.setblocking(False)
    return TakenSocket(sock, protocol, bool(read_ahead), detached)


def _read_ahead(environ: Mapping[str, Any]) -> bytes:
    """Return the bytes after the request's head that gunicorn's reader has read with it."""
    reader = getattr(environ.get("wsgi.input"), "reader", None)
    unreader = getattr(reader, "unreader", None)
    return unreader.take_buffered() if unreader is not None else b""
