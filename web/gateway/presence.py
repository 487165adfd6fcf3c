"""Write-behind buffers for opened and closed sockets, and the gateway's signs of life."""

import logging
import math
from collections.abc import Callable
from datetime import datetime, timedelta

from models.store import sockets
from models.store.sockets import SEEN_EVERY, Ended, Opened
from models.write_behind import WriteBehind
from notifier.core.errors import Unavailable
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Database
from notifier.outbox.types import now as utc_now

throttled = LogThrottle(logging.getLogger(__name__))


class Presence:
    """Collects which sockets opened and closed at one gateway.

    Args:
        database: where they are written.
        gateway: its id.
        clock: the present, in UTC.
    """

    def __init__(self, database: Database, gateway: str, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._gateway = gateway
        self._clock = clock
        self._opened: WriteBehind[str, Opened, None] = WriteBehind(
            "opened sockets", database, lambda c, opened: sockets.write(c, opened, ())
        )
        self._ended: WriteBehind[str, Ended, None] = WriteBehind(
            "ended sockets", database, lambda c, ended: sockets.write(c, (), ended)
        )
        self._seen: datetime | None = None
        self._stopped = False

    def opened(
        self,
        id: str,
        user_id: str,
        device: str | None,
        *,
        after: int | None,
        head: int,
        window: int | None,
        issued_at: float = math.inf,
    ) -> None:
        """Note that a socket said hello, and is sent the window from the seq `window` on; None: the log.

        `issued_at`: when its token was issued, seconds since 1970.
        """
        now = self._clock()
        self._opened.add(id, Opened(id, user_id, device, self._gateway, now, after, head, window, issued_at))

    def ended(self, id: str, code: int, sent: int) -> None:
        """Note that a socket closed."""
        self._ended.add(id, Ended(id, self._clock(), code, sent))

    def stop(self) -> None:
        """Write with the next flush that the gateway stops: its sockets count as closed from then on."""
        self._stopped = True

    def flush(self) -> bool:
        """Write what was collected, and a sign of life every few seconds; return whether all is written."""
        return self._sign_of_life() and self._opened.flush() and self._ended.flush()

    def _sign_of_life(self) -> bool:
        now = self._clock()
        if not self._stopped and self._seen and now - self._seen < timedelta(seconds=SEEN_EVERY):
            return True
        try:
            self._database.run(lambda c: sockets.seen(c, self._gateway, now=now, stopped=self._stopped))
        except Unavailable as exc:
            throttled.warning("sign of life put off: gateway=%s error=%s", self._gateway, exc)
            return False
        self._seen = now
        return True
