"""The file-handle limit: a socket needs one.

A socket does not occupy one of gunicorn's `worker_connections`: those are for HTTP, so that the sockets come
on top of them.
"""

import logging
import resource

from notifier.settings import PREFIX, Settings

NO_LIMIT = 1 << 62
SPARE_HANDLES = 200  # in addition to sockets: database, broker, logs

log = logging.getLogger(__name__)


def raise_handles(settings: Settings) -> None:
    """Raise the file-handle limit as far as the system allows; log when it is too low for the sockets."""
    needed = settings.worker_connections + SPARE_HANDLES
    wanted = needed + settings.worker_connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if possible < needed:
        log.warning(
            "%sWORKER_CONNECTIONS: %d connections do not fit into %d file handles (ulimit -n)",
            PREFIX, settings.worker_connections, possible,
        )  # fmt: skip


def handles_for_sockets() -> int:
    """Return how many file handles may be in use when another socket is let in."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return NO_LIMIT if soft == resource.RLIM_INFINITY else soft - SPARE_HANDLES
