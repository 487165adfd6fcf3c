"""The file-handle limit: a socket needs one."""

import logging
import resource

from notifier.settings import PREFIX, Settings

SPARE_HANDLES = 200  # beside the sockets: database, broker, logs

log = logging.getLogger(__name__)


def raise_handles(settings: Settings) -> None:
    """Raise the file-handle limit as far as the system lets us; log when the sockets do not fit."""
    needed = settings.worker_connections + SPARE_HANDLES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    possible = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if possible < needed:
        log.warning(
            "%sWORKER_CONNECTIONS: %d connections do not fit into %d file handles (ulimit -n)",
            PREFIX, settings.worker_connections, possible,
        )  # fmt: skip
