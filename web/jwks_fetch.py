"""Fetch a key set from an identity provider, bounded in bytes and in seconds."""

import json
import time
from http.client import HTTPException
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

import gevent

TIMEOUT = 3.0  # seconds for all of it
MAX_BYTES = 1024 * 1024  # a set of a hundred keys has 50,000
PIECE = 64 * 1024


class _NoRedirect(HTTPRedirectHandler):
    """Refuses redirects: only the address in the setting is trusted."""

    def redirect_request(self, *_: Any) -> None:
        """Return no further request."""


def fetch(url: str, timeout: float = TIMEOUT, max_bytes: int = MAX_BYTES) -> Any:
    """Return the JSON document at `url`.

    A socket's timeout begins again with each byte, so a slow provider could hold its callers without limit;
    here the whole answer is timed, its head included. (In a process that gevent has not
    patched, only the body is.)

    Raises OSError (TimeoutError when it takes too long) and ValueError.
    """
    late = TimeoutError(f"no answer within {timeout:g} s")
    until = time.monotonic() + timeout
    body = bytearray()
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310  http(s) alone is a setting
    try:
        with (
            gevent.Timeout(timeout, late),
            build_opener(_NoRedirect).open(request, timeout=timeout) as response,
        ):
            while piece := response.read1(PIECE):
                body += piece
                if len(body) > max_bytes:
                    raise ValueError(f"the answer has over {max_bytes} bytes")
                if time.monotonic() > until:
                    raise late
    except HTTPException as exc:
        raise ValueError(f"not HTTP: {type(exc).__name__}") from None
    return json.loads(body)
