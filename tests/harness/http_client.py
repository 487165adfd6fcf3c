"""A keep-alive HTTP client on the standard library: one connection per thread, plain answers."""

from __future__ import annotations

import http.client
import json
import select
import ssl
import threading
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Seconds after which an idle connection is not used again. The service closes it after 5 (gunicorn's `keepalive`),
#: and a request that meets the close is reset.
IDLE = 3.0


@dataclass(frozen=True)
class Response:
    """An answer: `headers` with lower-case names, `json` when it is JSON (of any ``+json`` type)."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    def __repr__(self) -> str:
        return f"<{self.status} {self.headers.get('content-type')} {self.body[:400]!r}>"


class Http:
    """Requests to one origin. Thread-safe: every thread has its own connection.

    `tls` verifies an https origin; without it https is not used.
    """

    def __init__(self, base_url: str, timeout: float = 15, tls: ssl.SSLContext | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._where = urllib.parse.urlsplit(self.base_url)
        self._timeout = timeout
        self._tls = tls
        self._local = threading.local()
        self._all: list[http.client.HTTPConnection] = []

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send, and return the whole answer. Raises OSError when the server cannot be reached or hangs.

        Nothing is sent twice: the caller decides about a POST that fails half-way.
        """
        connection = self._connection()
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            response = Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException) as error:
            self.close_mine()
            if isinstance(error, OSError):
                raise
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        self._local.used_at = time.monotonic()
        if answer.will_close:
            self.close_mine()
        return response

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            # Readable before a request: the server has closed the idle connection.
            fresh = time.monotonic() - getattr(self._local, "used_at", 0.0) < IDLE
            if fresh and connection.sock is not None and not _readable(connection.sock.fileno()):
                return connection
            self.close_mine()
        host, port = self._where.hostname or "", self._where.port
        if self._tls is None:
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)
        self._local.connection = connection
        self._all.append(connection)
        return connection

    def close_mine(self) -> None:
        """Close this thread's connection; the next request opens another."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None
            self._all.remove(connection)

    def close(self) -> None:
        """Close every thread's connection."""
        for connection in self._all:
            connection.close()


def _readable(descriptor: int) -> bool:
    """Return whether a read would not block; by poll, since select is limited to 1,024 descriptors."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def status(url: str, timeout: float = 2) -> int | None:
    """Return the status of a GET, or None when nobody answers."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=timeout)
    try:
        connection.request("GET", where.path or "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
