"""Which sockets opened and closed, and that this gateway lives: collected, and written with the acks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.store import sockets
from models.store.sockets import SEEN_EVERY, Ended, Opened
from notifier.outbox.engine import Connection
from notifier.outbox.types import now as utc_now

MAX_PENDING = 100_000  # sockets that wait for the database; a story without some of them is no harm


@dataclass(slots=True)
class Pending:
    """What waits to be written."""

    opened: dict[str, Opened] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    seen: datetime | None = None
    stopped: bool = False

    def __bool__(self) -> bool:
        return bool(self.opened or self.ended or self.seen)


class Presence:
    """Collects the comings and goings at one gateway.

    Args:
        gateway: its id.
        clock: the present, in UTC.
    """

    def __init__(self, gateway: str, clock: Callable[[], datetime] = utc_now) -> None:
        self._gateway = gateway
        self._clock = clock
        self._pending = Pending()
        self._seen: datetime | None = None
        self._stopped = False

    def opened(
        self, id: str, user_id: str, device: str | None, *, after: int | None, head: int, window: int | None
    ) -> None:
        """A socket said hello, and is sent the window from the seq `window` on; None: the log."""
        if len(self._pending.opened) < MAX_PENDING:
            self._pending.opened[id] = Opened(
                id, user_id, device, self._gateway, self._clock(), after, head, window
            )

    def ended(self, id: str, code: int, sent: int) -> None:
        """A socket closed."""
        if len(self._pending.ended) < MAX_PENDING:
            self._pending.ended[id] = Ended(id, self._clock(), code, sent)

    def stop(self) -> None:
        """The gateway stops: whatever is not known to be closed is, from then on."""
        self._stopped = True

    def take(self) -> Pending:
        """Return what is to be written now; a sign of life is due every few seconds."""
        now = self._clock()
        if self._stopped or self._seen is None or now - self._seen >= timedelta(seconds=SEEN_EVERY):
            self._seen = now
            self._pending.seen, self._pending.stopped = now, self._stopped
        taken, self._pending = self._pending, Pending()
        return taken

    def write(self, connection: Connection, taken: Pending) -> None:
        """Store what `take` returned."""
        sockets.write(connection, list(taken.opened.values()), list(taken.ended.values()))
        if taken.seen:
            sockets.seen(connection, self._gateway, now=taken.seen, stopped=taken.stopped)

    def restore(self, taken: Pending) -> None:
        """Keep what could not be written for the next time."""
        newer = self._pending
        self._pending = Pending({**taken.opened, **newer.opened}, {**taken.ended, **newer.ended})
        self._seen = None
