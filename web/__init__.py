"""The Flask side: the HTTP API, the inbox, the WebSocket gateway. Never imports `worker`.

`create_app` is the composition root: `flask --app web …`, gunicorn's `web:create_app()`.
"""

from web.app import create_app

__all__ = ["create_app"]
