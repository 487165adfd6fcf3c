"""The revocations in memory, so that a check needs no query; an erased user is one, known by a hash.

SQL is the truth; a message of the broker says when to read it again. When that message is lost, the next
regular read finds the revocation. So a process refuses a revoked token `interval` seconds after the
revocation at the latest, while the database answers.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from models.store import erased
from models.store import revocations as store
from notifier.core.erasure import user_hash
from notifier.core.errors import DatabaseUnavailable
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Database

OVERLAP = timedelta(minutes=10)  # by how much the clocks of revoking processes may differ
PATIENCE = 3  # intervals without a read, after which callers read: the gateway's loop does not run

log = logging.getLogger(__name__)
throttled = LogThrottle(log)


class Revocations:
    """The revocations that this process knows.

    Args:
        database: where they are stored.
        interval: seconds between two reads.
        clock: monotonic seconds.
    """

    def __init__(
        self, database: Database, interval: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._interval = interval
        self._clock = clock
        self._known: dict[str, float] = {}
        self._untold: dict[str, float] = {}  # those that `refresh` has not returned yet
        self._hashes: dict[str, float] = {}  # of erased users
        self._untold_hashes: dict[str, float] = {}
        self._newest: datetime | None = None
        self._newest_erased: datetime | None = None
        self._loaded = False
        self._tried_at = float("-inf")
        self._lock = threading.Lock()

    def at(self, user_id: str) -> float:
        """Return until when (seconds since 1970) the user's tokens are revoked; -inf: none is.

        Raises DatabaseUnavailable when the revocations were never read.
        """
        if self._clock() - self._tried_at > PATIENCE * self._interval or not self._loaded:
            self._catch_up()
        known = self._known.get(user_id, float("-inf"))
        return max(known, self._hashes.get(user_hash(user_id), known)) if self._hashes else known

    def refresh(self, users: Iterable[str] = ()) -> dict[str, float]:
        """Read new revocations, and return each once; nothing when the database is down.

        Of erased users those are returned that are among `users`, those who are connected.
        """
        with self._lock:
            try:
                self._load()
            except DatabaseUnavailable as exc:
                throttled.warning("revocations not read: error=%s", exc)
            told, self._untold = self._untold, {}
            hashes, self._untold_hashes = self._untold_hashes, {}
        for user_id in users if hashes else ():
            if (at := hashes.get(user_hash(user_id))) is not None:
                told[user_id] = max(at, told.get(user_id, at))
        return told

    def _catch_up(self) -> None:
        if not self._lock.acquire(blocking=not self._loaded):
            return  # another caller reads; the known ones are enough meanwhile
        try:
            if not self._loaded or self._clock() - self._tried_at > PATIENCE * self._interval:
                self._load()
        except DatabaseUnavailable:
            if not self._loaded:
                raise
        finally:
            self._lock.release()

    def _load(self) -> None:
        """Read what is new; called with the lock held."""
        self._tried_at = self._clock()
        try:
            with self._database.read() as connection:
                found = store.since(connection, self._newest and self._newest - OVERLAP)
                gone = erased.since(connection, self._newest_erased and self._newest_erased - OVERLAP)
        finally:
            self._tried_at = self._clock()
        new = _newer(found, self._known)
        self._known |= new
        self._untold |= new
        self._newest = max(found.values(), default=self._newest)
        new = _newer(gone, self._hashes)
        self._hashes |= new
        self._untold_hashes |= new
        self._newest_erased = max(gone.values(), default=self._newest_erased)
        self._loaded = True


def _newer(found: Mapping[str, datetime], known: Mapping[str, float]) -> dict[str, float]:
    """Return what is later than what is known, in seconds since 1970."""
    return {
        name: at.timestamp() for name, at in found.items() if at.timestamp() > known.get(name, float("-inf"))
    }
