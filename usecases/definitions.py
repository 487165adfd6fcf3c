"""What an application defines (events), made known to a process of the service."""

import os
import sys
from importlib import import_module

from notifier.settings import Settings


def load(settings: Settings) -> None:
    """Import the modules that NOTIFIER_EVENTS names.

    They belong to the service's own environment; of the working directory only what nothing else is called.
    """
    if settings.events and (folder := os.getcwd()) not in sys.path:  # noqa: PTH109  sys.path has text
        sys.path.append(folder)
    for module in settings.events:
        import_module(module)
