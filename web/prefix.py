"""The path below which the service answers, in the WSGI environ's SCRIPT_NAME.

Either the proxy forwards the path unchanged and NOTIFIER_PREFIX is its beginning, or the proxy has removed
the prefix and sends it in X-Forwarded-Prefix, or the server has removed it (SCRIPT_NAME). Flask puts
SCRIPT_NAME in front of every address that `url_for` makes; an address that is written by hand begins with
`request.script_root`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, abort, request

from notifier.settings import PATH

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

AT_THE_ROOT_TOO = frozenset({"/healthz", "/readyz"})  # health checks do not know the prefix
OUTSIDE = "notifier.outside_prefix"


class Prefix:
    """WSGI middleware that moves the prefix from PATH_INFO to SCRIPT_NAME.

    Args:
        app: the application.
        prefix: NOTIFIER_PREFIX; empty: the path has no prefix.
        hops: the number of trusted proxies.
    """

    def __init__(self, app: "WSGIApplication", prefix: str, hops: int) -> None:
        self._app = app
        self._prefix = prefix
        self._hops = hops

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve a request."""
        taken_off = self._taken_off(environ.get("HTTP_X_FORWARDED_PREFIX", "")) if self._hops else ""
        if taken_off and self._prefix in ("", taken_off):
            environ["SCRIPT_NAME"] = taken_off
        if self._prefix and not move(environ, self._prefix):
            environ[OUTSIDE] = not environ.get("SCRIPT_NAME", "").endswith(self._prefix)
        return self._app(environ, start_response)

    def _taken_off(self, header: str) -> str:
        """Return the prefix that the outermost trusted proxy removed; ignore a value that is not a path."""
        values = [value.strip().rstrip("/") for value in header.split(",")][-self._hops :]
        return values[0] if PATH.fullmatch(values[0]) else ""


class Mounted:
    """WSGI middleware for a server with SCRIPT_NAME, whether the proxy has removed the prefix or not."""

    def __init__(self, app: "WSGIApplication", mount: str) -> None:
        self._app = app
        self._mount = f"/{mount.strip('/')}"

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve a request."""
        if not move(environ, self._mount):
            environ["SCRIPT_NAME"] = self._mount
        return self._app(environ, start_response)


def move(environ: "WSGIEnvironment", prefix: str) -> bool:
    """Move `prefix` from the path to SCRIPT_NAME; return whether the path begins with it."""
    path, root = environ.get("PATH_INFO", ""), environ.get("SCRIPT_NAME", "")
    if path != prefix and not path.startswith(f"{prefix}/"):
        return False
    environ["PATH_INFO"] = path[len(prefix) :] or "/"
    environ["SCRIPT_NAME"] = root if root.endswith(prefix) else root + prefix
    return True


def register(app: Flask) -> None:
    """Make `app` answer 404 outside its prefix."""
    app.before_request(_below)


def _below() -> None:
    if request.environ.get(OUTSIDE) and request.path not in AT_THE_ROOT_TOO:
        abort(404)  # not our own NotFound: the dashboard would make a page of it
