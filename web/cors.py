"""CORS (https://fetch.spec.whatwg.org/#http-cors-protocol): which calls pages of other origins may make.

The users' calls and the client's files, from the origins that may open a socket, and nothing else.
Without credentials: the caller has a bearer token, never a cookie (docs/adr/0009).
"""

from flask import Flask, Response, request

from web.runtime import current

INBOX, PREFERENCES = "/api/inbox", "/api/preferences"
PUSH, CLIENT = "/api/push/", "/client/"
HEADERS = "Authorization, Content-Type"
EXPOSED = "Retry-After"  # the client waits that time
MAX_AGE = 7200  # seconds for which a browser keeps a preflight's answer; Chromium's maximum


def register(app: Flask) -> None:
    """Add the headers to the answers of `app`; Flask itself answers OPTIONS, without a token."""
    app.after_request(_allow)


def _allow(response: Response) -> Response:
    allowed = current().settings.allowed_origins
    if not allowed or not _open_to_pages(request.path):
        return response
    # Also without an origin: a cache must not give a page an answer without the headers.
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin is None or origin.lower() not in allowed:
        return response
    response.headers["Access-Control-Allow-Origin"] = origin
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
        response.headers["Access-Control-Allow-Headers"] = HEADERS
        response.headers["Access-Control-Max-Age"] = str(MAX_AGE)
    else:
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
    return response


def _open_to_pages(path: str) -> bool:
    return path in (INBOX, PREFERENCES) or path.startswith((f"{INBOX}/", PUSH, CLIENT))
