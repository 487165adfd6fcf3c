"""A request whose body is whole or refused, with a length or chunked.

Werkzeug's own stream ends without an error at MAX_CONTENT_LENGTH when the body is chunked, and where a
peer stops sending: the beginning of a body would be taken for all of it.
"""

from functools import cached_property
from typing import IO, Any, cast

from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wsgi import LimitedStream


class WholeStream(LimitedStream):
    """Reader of a body.

    Args:
        stream: the server's; it ends where the body ends.
        limit: bytes that a body may have.
        length: what Content-Length says; None for a chunked body.
    """

    def __init__(self, stream: IO[bytes], limit: int, length: int | None) -> None:
        super().__init__(stream, limit, is_max=True)
        self._length = length

    def readall(self) -> bytes:
        """Return the rest of the body.

        Raises RequestEntityTooLarge (413) when it goes on beyond the limit, and ClientDisconnected (400)
        when the peer has sent less than it announced.
        """
        rest = super().readall() if not self.is_exhausted else b""
        if self.is_exhausted and self._stream.read(1):
            raise RequestEntityTooLarge
        return rest

    def on_disconnect(self, error: Exception | None = None) -> None:
        """Accept the end of the body; raise ClientDisconnected when it has come too early."""
        if error is not None or (self._length is not None and self._pos < self._length):
            raise ClientDisconnected


class WholeRequest(Request):
    """A request with a WholeStream."""

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body; an empty one where the server does not say where it ends."""
        found: Any = super().stream
        limit = self.max_content_length
        if limit is None or "wsgi.input_terminated" not in self.environ:
            return cast(IO[bytes], found)
        return cast(IO[bytes], WholeStream(self.environ["wsgi.input"], limit, self.content_length))
