"""Security headers for every answer: no sniffing, no framing, nothing from other sites.

Our pages have their own Content-Security-Policy; other answers get one that allows nothing.
"""

from collections.abc import Sequence

from flask import Flask, Response, request

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
CLIENT = "/client/"
API = "/api/"

Headers = Sequence[tuple[str, str]]

_ALL: Headers = (
    ("Content-Security-Policy", NOTHING),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),  # for browsers that do not know frame-ancestors
    ("Referrer-Policy", "no-referrer"),
)
_OURS: Headers = (*_ALL, ("Cross-Origin-Resource-Policy", "same-origin"))
#: An answer to a user is only for that user.
_API: Headers = (*_OURS, ("Cache-Control", "no-store"))
#: Pages of other origins load the client's files (docs/client.md); CORS decides which may.
_CLIENT: Headers = (*_ALL, ("Cross-Origin-Resource-Policy", "cross-origin"))
_PAGE: Headers = (("Cross-Origin-Opener-Policy", "same-origin"),)


def register(app: Flask) -> None:
    """Add the headers to every answer of `app`, errors included."""
    app.after_request(_protect)


def _protect(response: Response) -> Response:
    path = request.path
    wanted = _API if path.startswith(API) else _CLIENT if path.startswith(CLIENT) else _OURS
    if response.mimetype == "text/html":
        wanted = (*wanted, *_PAGE)
    said = {name.lower() for name, _ in response.headers}
    response.headers.extend([(name, value) for name, value in wanted if name.lower() not in said])
    return response
