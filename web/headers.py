"""What browsers are told to keep to, on every answer: no sniffing, no framing, nothing from elsewhere.

A page of ours says its own Content-Security-Policy; what is no page gets one that allows nothing.
"""

from flask import Flask, Response, request

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
CLIENT = "/client/"
API = "/api/"


def register(app: Flask) -> None:
    """Add the headers to whatever `app` answers, errors included."""
    app.after_request(_protect)


def _protect(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", NOTHING)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")  # for browsers that do not know frame-ancestors
    headers.setdefault("Referrer-Policy", "no-referrer")
    # Pages of other origins load the client's files (docs/client.md); CORS says which may.
    headers.setdefault(
        "Cross-Origin-Resource-Policy",
        "cross-origin" if request.path.startswith(CLIENT) else "same-origin",
    )
    if response.mimetype == "text/html":
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if request.path.startswith(API):
        headers.setdefault("Cache-Control", "no-store")  # what a user was told is for that user
    return response
