"""What devices acked, and who came and went: collected, and written in one go every quarter of a second.

What a crash loses comes again with the device's next hello.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from models.store import devices
from models.store.devices import Ack, Closed, Delivered
from notifier.core.errors import Unavailable
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import now as utc_now
from notifier.signals import emit, notification_delivered
from web import metrics
from web.gateway.presence import Presence

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

MAX_PENDING = 100_000  # sockets whose acks wait for the database


class Acks:
    """Collects acks by socket and writes them.

    Args:
        database: where to.
        presence: what is written along with them.
        clock: the present, in UTC.
    """

    def __init__(
        self, database: Database, presence: Presence, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._presence = presence
        self._clock = clock
        # A socket that started afresh (a reset) has one entry for each start.
        self._acks: dict[tuple[str, int, int], Ack] = {}
        self._closed: dict[str, Closed] = {}

    def add(self, socket_id: str, ack: Ack) -> None:
        """A socket acked; cumulative, so that one entry a socket is enough."""
        new = ack.acked
        key = socket_id, new.window_from, new.log_from
        known = self._acks.get(key)
        if known:
            after = min(known.acked.after, new.after)
            ack = replace(ack, acked=replace(new, after=after, through=max(known.acked.through, new.through)))
        if known or len(self._acks) < MAX_PENDING:
            self._acks[key] = ack

    def closed(self, socket_id: str, closed: Closed) -> None:
        """A device's socket closed."""
        if len(self._closed) < MAX_PENDING:
            self._closed[socket_id] = closed

    def flush(self) -> None:
        """Write what was collected; when the database is away, keep it for the next time."""
        present = self._presence.take()
        if not (self._acks or self._closed or present):
            return
        acks, self._acks = self._acks, {}
        closed, self._closed = self._closed, {}

        def write(connection: Connection) -> list[Delivered]:
            if present:
                self._presence.write(connection, present)  # first: it takes no locks that others want
            return devices.flush(connection, list(acks.values()), list(closed.values()), now=self._clock())

        try:
            delivered = self._database.run(write)
        except Unavailable as exc:
            throttled.warning("acks kept for later: sockets=%d error=%s", len(acks) + len(closed), exc)
            self._restore(acks, closed)
            self._presence.restore(present)
        except Exception:
            log.exception("acks lost until the devices return: sockets=%d", len(acks) + len(closed))
        else:
            announce(delivered)

    def _restore(self, acks: dict[tuple[str, int, int], Ack], closed: dict[str, Closed]) -> None:
        newer = self._acks
        self._acks = acks
        for (socket_id, _, _), ack in newer.items():
            self.add(socket_id, ack)
        self._closed = {**closed, **self._closed}


def announce(delivered: list[Delivered]) -> None:
    """Tell metrics and signals what has just counted as delivered."""
    metrics.DELIVERED.inc(len(delivered))
    for one in delivered:
        metrics.DISPATCH_TO_DELIVERED.observe(max(0.0, one.waited))
        log.debug("delivered: notification=%s user=%s", one.notification_id, one.user_id)
        emit(notification_delivered, None, id=one.notification_id, user_id=one.user_id)
