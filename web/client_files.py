"""The browser's files under `/client/`: single modules, and the bundle that `make client` writes.

A file of the bundle has a name that changes with its contents, so browsers may cache it for a year; it is
sent as it was compressed at the build. `/client/bundle/bell.js` and the like are the present version, and so
is a hashed name of another version: during a rolling upgrade a page of one asks a server of the other.
"""

import json
import re
from functools import cache
from pathlib import Path

from flask import Flask, Response, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue

from web import problems
from web.headers import NOTHING

FOLDER = Path(__file__).resolve().parent.parent / "client"
SUFFIXES = (".js", ".css", ".d.ts")
YEAR = 31_536_000  # seconds
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))

WORKER = "push-worker.js"
#: A service worker has the policy of its file: it fetches the page's token, and tells the service of a click.
WORKER_POLICY = f"{NOTHING}; connect-src 'self'"

_BUNDLED = re.compile(r"bundle/(?P<file>(?P<name>[a-z-]+?)(-[A-Z0-9]{8})?(?P<classic>\.classic)?\.js)")


def register(app: Flask) -> None:
    """Add the route to `app`, and `client_script(name)` to its templates."""
    app.add_url_rule("/client/<path:name>", "client", _file)
    app.add_template_global(script_address, "client_script")


def script_address(name: str, kind: str = "module") -> str:
    """Return the address of a bundle, `bell` or `notifier`, as a `module` or a `classic` script."""
    return url_for("client", name=f"bundle/{_names()[name, kind]}")


def _file(name: str) -> ResponseReturnValue:
    if bundled := _BUNDLED.fullmatch(name):
        present = _names().get((bundled["name"], "classic" if bundled["classic"] else "module"))
        if present is not None:
            return _bundled(present, YEAR if bundled["file"] == present else 0)
    if not name.endswith(SUFFIXES):
        return problems.answer(404, "Not found", "There is no such thing here.")
    answer = send_from_directory(FOLDER, name, max_age=0)
    if name == WORKER:
        answer.headers["Content-Security-Policy"] = WORKER_POLICY
    return answer


def _bundled(file: str, max_age: int) -> Response:
    """Answer with a file of the bundle in the best encoding that the caller accepts."""
    accepted = request.accept_encodings
    encoding, suffix = next((both for both in ENCODINGS if accepted.quality(both[0]) > 0), ("", ""))
    answer = send_from_directory(
        FOLDER / "bundle", file + suffix, mimetype="text/javascript", max_age=max_age
    )
    if encoding:
        answer.headers["Content-Encoding"] = encoding
    answer.vary.add("Accept-Encoding")
    answer.cache_control.immutable = max_age > 0
    return answer


@cache
def _names() -> dict[tuple[str, str], str]:
    """Return the file names by bundle and kind."""
    manifest = json.loads((FOLDER / "bundle" / "manifest.json").read_text("utf-8"))
    return {(name, kind): file["file"] for name, kinds in manifest.items() for kind, file in kinds.items()}
