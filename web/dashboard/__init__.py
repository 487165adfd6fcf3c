"""The dashboard `/reports`: pages for operators, signed in with an API key.

It is there only when API keys are set by hand (`NOTIFIER_API_KEYS`): the key that the embedded default
makes for itself opens no page.
"""

from web.dashboard.pages import blueprint

__all__ = ["blueprint"]
