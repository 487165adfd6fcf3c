"""Handle a broker that refuses a worker: log it once, with the cure, and try again with growing pauses.

Celery 5.7 itself tries again at once each time, with about ten log lines
(celery/worker/consumer/consumer.py, `start`).
"""

import logging
import time
import warnings
from typing import Any

from celery.exceptions import WorkerShutdown
from celery.worker.consumer import Consumer

from notifier.broker.faults import Fault, diagnose
from notifier.core.backoff import Backoff

PAUSE_FIRST, PAUSE_LONGEST = 1.0, 5.0  # seconds until a worker tries again after a refusal
TYPE_DIFFERS = "inequivalent arg 'x-queue-type'"
CELERYS_LINES = logging.getLogger("celery.worker.consumer")

log = logging.getLogger(__name__)


class PatientConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, which logs a refusal of the broker once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._backoff = Backoff(PAUSE_FIRST, PAUSE_LONGEST)
        self._refused: Fault | None = None
        self._level = logging.NOTSET
        super().__init__(*args, **kwargs)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Connect again, unless the queue has the other type: then stop with a line about the setting."""
        if TYPE_DIFFERS in str(exc):
            log.critical("NOTIFIER_TASK_QUEUE_TYPE: the queue at RabbitMQ has the other type: %s", exc)
            raise WorkerShutdown(1)
        if isinstance(exc, self.channel_errors):
            self._say(diagnose(exc), exc)
            time.sleep(self._backoff.next_pause())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hides a warning about running tasks in Celery 6
            super().on_connection_error_after_connected(exc)

    def on_ready(self) -> None:
        """Forget the refusals, since tasks arrive."""
        super().on_ready()
        self._backoff.reset()
        if self._refused is not None:
            CELERYS_LINES.setLevel(self._level)
            self._refused = None
            log.warning("the broker accepts this worker again")

    def _say(self, fault: Fault, exc: Exception) -> None:
        if self._refused is None:
            # For each attempt Celery would log: connected, lost, the number of tasks that it prefetches.
            self._level = CELERYS_LINES.level
            CELERYS_LINES.setLevel(logging.ERROR)
        if fault.state != (self._refused.state if self._refused else ""):
            log.warning("the broker refuses this worker: state=%s detail=%s cure=%s error=%s", *fault, exc)
        self._refused = fault
