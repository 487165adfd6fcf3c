"""The API's description, OpenAPI 3.1."""

from typing import Any


def document() -> dict[str, Any]:
    """Return the description."""
    return {"openapi": "3.1.0", "info": {"title": "Live Notifications", "version": "0.1.0"}, "paths": {}}
