"""What a worker does when the broker refuses it: says so once, with the cure, and tries with growing pauses.

Celery 5.7 alone tries at once, again and again, with some ten lines each time
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

PAUSE_FIRST, PAUSE_LONGEST = 1.0, 5.0  # seconds until a worker tries again what the broker refused it
TYPE_DIFFERS = "inequivalent arg 'x-queue-type'"
CELERYS_LINES = logging.getLogger("celery.worker.consumer")

log = logging.getLogger(__name__)


class PatientConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, which a refusal of the broker does not make talkative."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._backoff = Backoff(PAUSE_FIRST, PAUSE_LONGEST)
        self._refused: Fault | None = None
        self._level = logging.NOTSET
        super().__init__(*args, **kwargs)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Connect again, but for a queue of the other type: a wrong setting, said in one line."""
        if TYPE_DIFFERS in str(exc):
            log.critical("NOTIFIER_TASK_QUEUE_TYPE: the queue at RabbitMQ is of the other type: %s", exc)
            raise WorkerShutdown(1)
        if isinstance(exc, self.channel_errors):
            self._say(diagnose(exc), exc)
            time.sleep(self._backoff.next_pause())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Celery 6 will do with tasks that run
            super().on_connection_error_after_connected(exc)

    def on_ready(self) -> None:
        """Forget the refusals: tasks come."""
        super().on_ready()
        self._backoff.reset()
        if self._refused is not None:
            CELERYS_LINES.setLevel(self._level)
            self._refused = None
            log.warning("the broker takes this worker again")

    def _say(self, fault: Fault, exc: Exception) -> None:
        if self._refused is None:
            # Of each attempt Celery would tell: connected, lost, how many tasks it will take then.
            self._level = CELERYS_LINES.level
            CELERYS_LINES.setLevel(logging.ERROR)
        if fault.state != (self._refused.state if self._refused else ""):
            log.warning("the broker refuses this worker: state=%s detail=%s cure=%s error=%s", *fault, exc)
        self._refused = fault
