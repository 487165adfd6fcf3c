"""The client's address for the limits: without a port, in whatever form a proxy writes it.

Some proxies write `8.8.8.8:1001` or `[2001:db8::1]:443` into X-Forwarded-For (Azure's gateway, IIS); used
unchanged, each connection would count as an address of its own.
"""

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def bare_address(text: str) -> str | None:
    """Return the IP address in an entry of X-Forwarded-For, without port and brackets; None: there is none.

    A quoted one is an entry of `Forwarded` (RFC 7239, section 6), which some proxies copy unchanged.
    """
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return None


class BareAddress:
    """WSGI middleware inside ProxyFix: replaces what a proxy has written by the address alone.

    Where that is not an address (`unknown`, a name), the peer's own address counts: the proxy's.
    """

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve a request."""
        original = environ.get("werkzeug.proxy_fix.orig", {}).get("REMOTE_ADDR")
        written = environ.get("REMOTE_ADDR")
        if written and written != original:
            environ["REMOTE_ADDR"] = bare_address(written) or original or ""
        return self._app(environ, start_response)
