"""A request whose body is complete or refused, with a length or chunked.

Werkzeug's own stream ends without an error at MAX_CONTENT_LENGTH when the body is chunked, and where a
peer stops sending: the beginning of a body would be taken for the whole.
"""

from functools import cached_property
from typing import IO, Any, cast

from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wsgi import LimitedStream


class WholeStream(LimitedStream):
    """A reader of a body.

    Args:
        stream: the server's stream, which ends with the body.
        limit: bytes that a body may have.
        length: Content-Length; None for a chunked body.
    """

    def __init__(self, stream: IO[bytes], limit: int, length: int | None) -> None:
        super().__init__(stream, limit, is_max=True)
        self._length = length

    def readall(self) -> bytes:
        """Return the rest of the body.

        Raises RequestEntityTooLarge (413) when it exceeds the limit, and ClientDisconnected (400)
        when the peer has sent less than it announced.
        """
        if self._length is not None and self._pos == 0 and self._length <= self.limit:
            # One read, where werkzeug's loop has three: each one has a timeout of its own.
            body = self._stream.read(self._length)
            self._pos = len(body)
            if self._pos < self._length:
                self.on_disconnect()
            return body
        rest = super().readall() if not self.is_exhausted else b""
        if self.is_exhausted and self._stream.read(1):
            raise RequestEntityTooLarge
        return rest

    def on_disconnect(self, error: Exception | None = None) -> None:
        """Accept the end of the body; raise ClientDisconnected when it is too early."""
        if error is not None or (self._length is not None and self._pos < self._length):
            raise ClientDisconnected


class WholeRequest(Request):
    """A request with a WholeStream."""

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body; an empty one when the server does not know its end."""
        found: Any = super().stream
        limit = self.max_content_length
        if limit is None or "wsgi.input_terminated" not in self.environ:
            return cast(IO[bytes], found)
        return cast(IO[bytes], WholeStream(self.environ["wsgi.input"], limit, self.content_length))
