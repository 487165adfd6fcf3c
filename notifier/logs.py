"""Logging of our processes: one line an event, with the ids, on standard error."""

import logging
import sys

from notifier.settings import Settings

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def configure(settings: Settings) -> None:
    """Send this process's log to standard error."""
    logging.basicConfig(level=settings.log_level, format=FORMAT, stream=sys.stderr, force=True)
    logging.captureWarnings(True)
    # A line for each task and each tick of beat would hide the lines that matter.
    for noisy in ("alembic", "amqp", "kombu", "celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
