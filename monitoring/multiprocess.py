"""One set of metrics for several processes of one part: the folder in which they count.

prometheus_client's multiprocess mode: each process keeps its numbers in memory-mapped files, and the
one that is scraped adds them up (https://prometheus.github.io/client_python/multiprocess/).
"""

import os
from pathlib import Path

from notifier.private import make_folder

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own variable


def share(folder: Path) -> None:
    """Let this process and its children count in files of `folder`; old files there are removed.

    prometheus_client looks for it once, when it is imported: call this before. Raises OSError.
    """
    make_folder(folder)
    for left in folder.glob("*.db"):
        left.unlink()
    os.environ[FOLDER] = str(folder.resolve())


def shared() -> bool:
    """Whether `share` was called, here or in the parent."""
    return FOLDER in os.environ
