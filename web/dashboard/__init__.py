"""The dashboard `/reports`: pages for operators, signed in with an API key.

It exists only when API keys are set (`NOTIFIER_API_KEYS`): the key that the embedded default creates does
not open it.
"""

from web.dashboard import dead_actions, notification_page, overview_page, sign_in_page
from web.dashboard.routes import blueprint

__all__ = ["blueprint", "dead_actions", "notification_page", "overview_page", "sign_in_page"]
