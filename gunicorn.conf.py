"""`gunicorn` in the repository's root starts the web process: its configuration is part of the package."""

from web.gunicorn_config import *  # noqa: F403
