"""When the broker had taken what was committed: written a moment later, off the alerts' way.

It costs a dispatch nothing: a thread of its own writes the marks of a quarter of a second in one
transaction. What a crash loses of them, a notification's story calls unknown.
"""

import atexit
import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime

from models.store import dispatch
from notifier.core.errors import Unavailable
from notifier.outbox.engine import Connection, Database

log = logging.getLogger(__name__)

PAUSE = 0.25  # seconds between two writes
MAX_PENDING = 50_000  # notifications whose marks wait for the database


class PublishedMarks:
    """Collects marks and writes them. Safe to call from any thread; one for each process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = threading.Condition()
        self._pending: dict[str, datetime] = {}
        self._thread: threading.Thread | None = None
        self._away = False  # it is said once that the database is

    def add(self, ids: Sequence[str], at: datetime) -> None:
        """The broker has taken what these notifications put into inboxes; returns at once."""
        with self._changed:
            if len(self._pending) < MAX_PENDING:
                self._pending.update(dict.fromkeys(ids, at))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="notifier-published", daemon=True)
                self._thread.start()
                atexit.register(self.flush)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._pending:
                    self._changed.wait()
            time.sleep(PAUSE)  # others join in
            self.flush()

    def flush(self) -> None:
        """Write what waits; when the database is away, keep it for the next time."""
        with self._changed:
            taken, self._pending = self._pending, {}
        if not taken:
            return

        def write(connection: Connection) -> None:
            dispatch.published(connection, taken)

        try:
            self._database.run(write)
        except Unavailable as exc:
            if not self._away:
                log.warning("marks of publishing kept for later: notifications=%d error=%s", len(taken), exc)
            self._away = True
            with self._changed:
                self._pending = {**taken, **self._pending}
        except Exception:
            log.exception("marks of publishing lost: notifications=%d", len(taken))
        else:
            self._away = False
