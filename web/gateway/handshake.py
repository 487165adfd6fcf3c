"""The opening handshake: Flask-Sock performs it, with SERVER_OPTIONS; `refusal` checks what it leaves out."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from gevent.event import Event

from notifier.core.frames import SUBPROTOCOL

# 16 bytes in base64: 22 characters and the padding. Of two headers the values arrive joined by a comma.
KEY = re.compile(r"[A-Za-z0-9+/]{22}==")


class NoThread:
    """Takes the place of simple-websocket's reader thread: the handler's greenlet reads by itself."""

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


def refusal(environ: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return the HTTP status and the reason to refuse an upgrade request; None: it is valid so far.

    Checks what RFC 6455, section 4.2.1, requires and wsproto does not check.

    Args:
        environ: the WSGI environ of the request.
    """
    if environ["REQUEST_METHOD"] != "GET":
        return 405, "A WebSocket is opened with GET."
    if environ["SERVER_PROTOCOL"] in ("HTTP/0.9", "HTTP/1.0"):
        return 400, "A WebSocket is opened with HTTP/1.1."
    # The bytes of a body would be read as frames.
    if environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ:
        return 400, "A request for a WebSocket has no body."
    if not KEY.fullmatch(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")):
        return 400, "Sec-WebSocket-Key is not one value of 16 bytes in base64."
    return None
