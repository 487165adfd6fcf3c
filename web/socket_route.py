"""The route `/ws`: who may open a socket, and the socket for Flask-Sock."""

import logging
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask_sock import Sock
from simple_websocket import ConnectionError as HandshakeFailed
from simple_websocket import Server
from wsproto.events import RejectConnection
from wsproto.utilities import ProtocolError, RemoteProtocolError

from notifier.core.errors import Forbidden, Unavailable
from notifier.core.log_throttle import LogThrottle
from web import problems
from web.gateway import handshake
from web.gateway.sendall_socket import SendAllSocket
from web.gateway.takeover import take_over
from web.runtime import current

PATH = "/ws"
PORTS = {"http": ":80", "https": ":443"}  # which browsers leave out
SOCKETS = ("gunicorn.socket", "werkzeug.socket")

#: What the handshake reads (RFC 6455, section 4.2.1).
HANDSHAKE = frozenset({
    "HTTP_HOST", "HTTP_UPGRADE", "HTTP_CONNECTION", "HTTP_SEC_WEBSOCKET_KEY", "HTTP_SEC_WEBSOCKET_VERSION",
    "HTTP_SEC_WEBSOCKET_PROTOCOL",
})  # fmt: skip
USER_AGENT = "notifier.user_agent"

throttled = LogThrottle(logging.getLogger(__name__))


def register(app: Flask) -> None:
    """Add the route to `app`."""
    app.config["SOCK_SERVER_OPTIONS"] = handshake.SERVER_OPTIONS
    app.before_request(_before)
    sock = Sock()
    sock.route(PATH)(serve)
    # `serve` raises nothing, so an error here is from the handshake.
    for fault in (ProtocolError, HandshakeFailed, UnicodeDecodeError, OSError):
        sock.bp.register_error_handler(fault, _no_handshake)
    sock.init_app(app)


def _no_handshake(fault: Exception) -> ResponseReturnValue:
    """Answer an invalid request for an upgrade, or a peer that has left meanwhile (which gets nothing)."""
    hint = fault.event_hint if isinstance(fault, RemoteProtocolError) else None
    return _refuse(hint.status_code if isinstance(hint, RejectConnection) else 400)


def _refuse(status: int, detail: str = "This is not a WebSocket upgrade (RFC 6455).") -> ResponseReturnValue:
    answer = problems.answer(status, "No WebSocket", detail)
    if status == 405:
        answer.headers["Allow"] = "GET"
    if status == 426:
        answer.headers.update({"Upgrade": "websocket", "Sec-WebSocket-Version": "13"})
    return answer


def _before() -> ResponseReturnValue | None:
    if request.path != PATH or "websocket" not in request.headers.get("Upgrade", "").lower():
        return None
    if refusal := handshake.refusal(request.environ):
        return _refuse(*refusal)
    runtime = current()
    origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
    if not origin_allowed(origin, host, runtime.settings.allowed_origins):
        throttled.warning("socket refused, its page is from another site: origin=%.200r host=%.200r",
                          origin, host)  # fmt: skip
        raise Forbidden("this origin may not open a socket")
    if runtime.gateway.stopping:
        raise Unavailable("the server restarts")
    runtime.gateway.admission.check(request.remote_addr, _handle(request.environ))
    prepare(request.environ, runtime.settings.slow_timeout)
    return None


def prepare(environ: dict[str, Any], slow_timeout: float) -> None:
    """Put a socket that sends complete frames into the WSGI environ, and keep only the headers it needs.

    Compressing many small frames costs 100 KB for each connection; browsers always offer it, and
    simple-websocket accepts what is offered. It also has every header parsed again: a browser's are 16% of
    a handshake.
    """
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    environ[USER_AGENT] = environ.get("HTTP_USER_AGENT", "")
    for name in [name for name in environ if name.startswith("HTTP_") and name not in HANDSHAKE]:
        del environ[name]
    for name in SOCKETS:
        if name in environ:
            environ[name] = SendAllSocket(environ[name], slow_timeout)


def _handle(environ: dict[str, Any]) -> int:
    """Return the number of the socket's file descriptor."""
    found: list[int] = [environ[name].fileno() for name in SOCKETS if name in environ]
    return found[0] if found else 0


def origin_allowed(origin: str | None, host: str, allowed: tuple[str, ...]) -> bool:
    """Return whether a browser page of `origin` may open a socket here.

    No origin: not a browser page (RFC 6455, section 4.1), its token decides. Otherwise it must be our own, by
    the unchanged Host header (Flask's `host_url` decodes an IDN host), or be in the list.
    """
    if origin is None:
        return True
    try:
        parts = urlsplit(origin.lower())
    except ValueError:  # no address, like http://[
        return False
    port = PORTS.get(parts.scheme, "")
    own = parts.netloc.removesuffix(port) == host.lower().removesuffix(port) != ""
    return (own and bool(port)) or origin.rstrip("/").lower() in allowed


def serve(ws: Server) -> None:
    """Hand the socket to the gateway. On gunicorn it is served from there, and this returns at once."""
    gateway = current().gateway
    gateway.start()
    agent = request.environ.get(USER_AGENT, "")
    gateway.serve(take_over(ws, request.environ), address=request.remote_addr, user_agent=agent[:256] or None)
