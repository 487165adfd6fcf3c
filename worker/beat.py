"""Beat's scheduler: Celery's own, with one line for an outage instead of a traceback for every tick."""

import logging
from typing import Any

from celery.beat import ScheduleEntry, Scheduler, SchedulingError

log = logging.getLogger(__name__)


class QuietScheduler(Scheduler):  # type: ignore[misc]
    """Sends what is due; what cannot be sent is due again at the next tick."""

    failing = False

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send one entry; say once that it fails, and once that it works again."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as exc:
            if not self.failing:
                log.warning("beat cannot reach the broker, nothing is swept until then: error=%s", exc)
            self.failing = True
        else:
            if self.failing:
                log.warning("beat reaches the broker again")
            self.failing = False
