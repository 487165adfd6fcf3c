"""The dashboard `/reports`: pages for operators, signed in with an API key.

It exists only when API keys are set (`NOTIFIER_API_KEYS`): the key that the embedded default creates does
not open it.
"""

from web.dashboard.pages import blueprint

__all__ = ["blueprint"]
