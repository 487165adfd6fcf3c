"""An error as a page, for browsers: everything else gets `application/problem+json` (`web.problems`)."""

import base64
import hashlib

from flask import Response, request
from markupsafe import Markup

_STYLE = Markup(
    "body{margin:0;font:16px/1.5 system-ui,sans-serif;color:#1b2330;background:#f5f6f8}"
    "main{max-width:30rem;margin:12vh auto 0;padding:0 1rem}h1{line-height:1.2}a{color:#1d4ed8}"
    "@media(prefers-color-scheme:dark){body{color:#e9edf4;background:#10141b}a{color:#a3c2ff}}"
)
#: The page's own policy: nothing but the style above, which is known by its hash.
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_PAGE = Markup(
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="color-scheme" content="light dark">\n<title>{title}</title>\n'
    "<style>{style}</style>\n</head>\n"
    '<body>\n<main>\n<h1>{title}</h1>\n<p>{detail}</p>\n<p><a href="{start}">To the start</a></p>\n'
    "</main>\n</body>\n</html>\n"
)


def wanted() -> bool:
    """Return whether the request is a browser's for a page: it names HTML, and prefers it to JSON."""
    accepted = request.accept_mimetypes
    if not any(kind.lower() == "text/html" for kind, _ in accepted):
        return False
    return accepted["text/html"] >= max(accepted["application/json"], accepted["application/problem+json"])


def answer(status: int, title: str, detail: str) -> Response:
    """Return the page; nothing in it is markup but what is written here."""
    page = _PAGE.format(title=title, detail=detail, style=_STYLE, start=f"{request.script_root}/")
    response = Response(page, status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    return response
