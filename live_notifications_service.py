"""The command `notifier` of the service's wheel.

An application may have a `models.py` or a `web/` of its own in PYTHONPATH, which Python searches before the
folder where the service is installed. The service needs none of them: its own folder comes first, here before
any of its packages is imported, and in the processes that it starts (cli/environment.py).
"""

import sys
from pathlib import Path


def main() -> None:
    """Run the command."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from cli.main import main as run  # noqa: PLC0415 - not before the line above

    run()
