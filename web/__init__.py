"""The Flask side: the HTTP API, the inbox, the WebSocket gateway. Never imports `worker`.

The composition root is `web.app.create_app`: `flask --app web …` and gunicorn call it. It is imported
when it is used, so that gunicorn's master can import `web.server` before gevent has patched anything.
Under Flask's development server it is patched then: what waits in the gateway waits through gevent.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from web.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":  # `flask run`: gunicorn's worker does it by itself
        from gevent import monkey  # noqa: PLC0415

        monkey.patch_all()
    return import_module("web.app").create_app
