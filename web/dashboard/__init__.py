"""The dashboard `/reports`: pages for operators, signed in with an API key.

In the embedded default that is the key in `var/api-key`.
"""

from web.dashboard import (
    dead_actions,
    list_page,
    night_page,
    notification_page,
    overview_page,
    search_page,
    sign_in_page,
)
from web.dashboard.routes import blueprint

__all__ = [
    "blueprint",
    "dead_actions",
    "list_page",
    "night_page",
    "notification_page",
    "overview_page",
    "search_page",
    "sign_in_page",
]
