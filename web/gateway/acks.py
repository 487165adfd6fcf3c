"""Write-behind buffers for acks and closed sockets, flushed every quarter of a second.

What a crash loses is sent again with the device's next hello.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from models.store import devices
from models.store.delivered import Ack, Delivered
from models.store.devices import Closed
from models.write_behind import WriteBehind
from notifier.outbox.engine import Database
from notifier.outbox.types import now as utc_now
from notifier.signals import emit, notification_delivered
from web import metrics
from web.gateway.presence import Presence

log = logging.getLogger(__name__)

ENTRIES = 5_000  # log entries that one transaction of acks covers at most


class Acks:
    """Collects acks by socket and writes them.

    Args:
        database: where they are written.
        presence: flushed first, so that a socket's record exists when it closes.
        clock: the present, in UTC.
    """

    def __init__(
        self, database: Database, presence: Presence, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._presence = presence
        # A socket that was reset has one entry for each start.
        self._acks: WriteBehind[tuple[str, int, int], Ack, list[Delivered]] = WriteBehind(
            "acks", database, lambda c, acks: devices.flush(c, acks, (), now=clock()),
            merge=_merged, weight=_entries, piece=ENTRIES, written=announce,
        )  # fmt: skip
        self._closed: WriteBehind[str, Closed, list[Delivered]] = WriteBehind(
            "closed sockets", database, lambda c, closed: devices.flush(c, (), closed, now=clock())
        )

    def add(self, socket_id: str, ack: Ack) -> None:
        """Keep what a socket acked; acks are cumulative, so one entry for each socket is enough."""
        self._acks.add((socket_id, ack.acked.window_from, ack.acked.log_from), ack)

    def closed(self, socket_id: str, closed: Closed) -> None:
        """Note that a device's socket closed."""
        self._closed.add(socket_id, closed)

    def flush(self) -> None:
        """Write what was collected; while the database is down, keep it for the next time."""
        if self._presence.flush() and self._acks.flush():
            self._closed.flush()


def _merged(known: Ack, newer: Ack) -> Ack:
    after, through = (
        min(known.acked.after, newer.acked.after),
        max(known.acked.through, newer.acked.through),
    )
    return replace(newer, acked=replace(newer.acked, after=after, through=through))


def _entries(ack: Ack) -> int:
    """Return how many log entries an ack covers."""
    return max(1, ack.acked.through - ack.acked.after)


def announce(delivered: list[Delivered]) -> None:
    """Report to metrics and signals what has just become delivered."""
    metrics.DELIVERED.inc(len(delivered))
    for one in delivered:
        metrics.DISPATCH_TO_DELIVERED.observe(max(0.0, one.waited))
        log.debug("delivered: notification=%s user=%s", one.notification_id, one.user_id)
        emit(notification_delivered, None, id=one.notification_id, user_id=one.user_id)
