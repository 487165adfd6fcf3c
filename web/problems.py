"""Errors as RFC 9457 `application/problem+json`: uniform, and without a trace, SQL or a setting.

A browser that asks for a page gets a page when an address is wrong (`web.error_page`).
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from notifier.core.errors import InvalidInput, NotifierError, OverLimit, Problem, Unavailable
from notifier.core.log_throttle import LogThrottle
from web import error_page

log = logging.getLogger(__name__)
throttled = LogThrottle(log)
MEDIA_TYPE = "application/problem+json"
MAX_BODY = 16 * 1024  # bytes, for any input (docs/contract.md, section 5)


def answer(
    status: int,
    title: str,
    detail: str,
    errors: Sequence[Problem] | None = None,
    more: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as the response; `more` are extension members (RFC 9457, section 3.2)."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body |= more or {}
    if errors is not None:
        body["errors"] = list(errors)
    written = orjson.dumps(body, default=str)
    while len(written) > MAX_BODY and errors:
        # Characters that JSON escapes take six bytes each.
        errors = errors[: len(errors) // 2]
        body["errors"] = [*errors, {"loc": [], "msg": "and more"}]
        written = orjson.dumps(body, default=str)
    return Response(written, status, content_type=MEDIA_TYPE)


def register(app: Flask) -> None:
    """Answer every error of `app` as a problem."""
    app.register_error_handler(NotifierError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _ours(error: NotifierError) -> Response:
    response = answer(
        error.status, error.title, error.detail, error.problems if isinstance(error, InvalidInput) else None
    )
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, OverLimit):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
        throttled.warning("%s %s: %s", request.method, request.path, error)
    return response


def _http(error: HTTPException) -> Response:
    what = error.code or 500, error.name, error.description or error.name
    response = error_page.answer(*what) if error_page.wanted() else answer(*what)
    response.vary.add("Accept")
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    throttled.error("%s %s failed", request.method, request.path, exc_info=error)
    what = 500, "Internal error", "Something went wrong here; it has been logged."
    return error_page.answer(*what) if error_page.wanted() else answer(*what)
