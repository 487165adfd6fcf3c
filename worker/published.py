"""Write-behind buffer for the times at which the broker accepted what was committed.

A separate thread writes the marks of a quarter of a second together, so that a dispatch does not wait. Marks
that a crash loses are shown as unknown in the timeline.
"""

import atexit
import threading
import time
from collections.abc import Sequence
from datetime import datetime

from models.store import dispatch
from models.write_behind import WriteBehind
from notifier.core.backoff import Backoff
from notifier.outbox.engine import Database

PAUSE = 0.25  # seconds between two writes
RETRY, RETRY_LONGEST = 0.5, 5.0  # seconds more, at most, while the database is down
PIECE = 5_000  # marks of one transaction
MAX_PENDING = 50_000  # marks that wait for the database, at most


class PublishedMarks:
    """Collects marks and writes them. Safe to call from any thread; one for each process."""

    def __init__(self, database: Database) -> None:
        self._marks: WriteBehind[str, tuple[str, datetime], None] = WriteBehind(
            "marks of publishing", database, lambda c, marks: dispatch.published(c, dict(marks)),
            piece=PIECE, max_pending=MAX_PENDING,
        )  # fmt: skip
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, ids: Sequence[str], at: datetime) -> None:
        """Note that the broker has accepted the entries of these notifications; return at once."""
        for id in ids:
            self._marks.add(id, (id, at))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="notifier-published", daemon=True)
            self._thread.start()
            atexit.register(self.flush)
        self._changed.set()

    def _run(self) -> None:
        backoff, pause = Backoff(RETRY, RETRY_LONGEST), 0.0
        while True:
            self._changed.wait()
            time.sleep(PAUSE + pause)  # marks that come meanwhile are written together
            self._changed.clear()
            if self._marks.flush():
                pause = 0.0
                backoff.reset()
            else:
                pause = backoff.next_pause()
                self._changed.set()

    def flush(self) -> None:
        """Write what waits; while the database is down, keep it for the next time."""
        self._marks.flush()
