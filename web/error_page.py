"""An error as a page, for browsers: everything else gets `application/problem+json` (`web.problems`)."""

from flask import Response, request
from markupsafe import Markup

_PAGE = Markup(
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="color-scheme" content="light dark">\n<title>{title}</title>\n</head>\n'
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
    page = _PAGE.format(title=title, detail=detail, start=f"{request.script_root}/")
    return Response(page, status, content_type="text/html; charset=utf-8")
