"""The metrics of a worker, and its small `/metrics` server.

Imported when a worker with a metrics port starts (`worker.app`), because the folder in which a pool's
processes count must be known before.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from models.store.fan_out import Dispatched
from monitoring.metrics import (
    ACCEPT_TO_DISPATCH,
    BUCKETS,
    DATABASE_ERRORS,
    DISPATCH_TO_PUBLISH,
    REGISTRY,
    UNPUBLISHED,
    collector,
    listen,
)
from notifier.core.errors import DatabaseUnavailable
from notifier.outbox.failures import unavailable
from worker.measures import Measures
from worker.reach_measures import ReachMeasures

log = logging.getLogger(__name__)

DISPATCHED = Counter(
    "notifier_dispatched", "Notifications put into every recipient's inbox", registry=REGISTRY
)
ENTRIES = Counter("notifier_entries", "Entries put into inboxes", registry=REGISTRY)
RETRIES = Counter("notifier_retries", "Failed dispatches that are tried again", registry=REGISTRY)
GIVEN_UP = Counter("notifier_given_up", "Notifications given up after too many failures", registry=REGISTRY)

REACHED = Counter(
    "notifier_reached", "Attempts to send over a channel", ["channel", "result"], registry=REGISTRY
)
REACH_SECONDS = Histogram(
    "notifier_reach_seconds",
    "How long a channel's provider took",
    ["channel"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
CHANNEL_PAUSED = Gauge(
    "notifier_channel_paused",
    "Whether a channel pauses, because its provider refuses us",
    ["channel"],
    registry=REGISTRY,
    multiprocess_mode="max",
)


class Metrics(Measures):
    """Counts a dispatcher's measurements."""

    def __init__(self) -> None:
        listen()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a transaction that cannot reach the database."""
        with DATABASE_ERRORS.count_exceptions(DatabaseUnavailable), unavailable():
            yield

    def dispatched(self, done: Dispatched, committed: float) -> None:
        """Count what a committed transaction dispatched."""
        DISPATCHED.inc(len(done.finished))
        ENTRIES.inc(len(done.entries))
        # The recipients of one notification share its acceptance, and count once.
        accepted = {entry.id: entry.timestamp for _, entry in done.entries if entry.id}
        for milliseconds in accepted.values():
            ACCEPT_TO_DISPATCH.observe(max(0.0, committed - milliseconds / 1000))

    def published(self, seconds: float) -> None:
        """Count how long publishing took."""
        DISPATCH_TO_PUBLISH.observe(seconds)

    def unpublished(self, events: int) -> None:
        """Count events that the broker did not accept."""
        UNPUBLISHED.inc(events)

    def failed(self, *, dead: bool) -> None:
        """Count a failed dispatch."""
        (GIVEN_UP if dead else RETRIES).inc()


class ReachMetrics(ReachMeasures):
    """Counts the measurements of a worker for channels."""

    def reached(self, channel: str, result: str, seconds: float) -> None:
        """Count an attempt."""
        REACHED.labels(channel, result).inc()
        REACH_SECONDS.labels(channel).observe(seconds)

    def paused(self, channel: str, *, paused: bool) -> None:
        """Show that a channel pauses, or goes on."""
        CHANNEL_PAUSED.labels(channel).set(int(paused))


def serve(host: str, port: int) -> None:
    """Serve `/metrics` from a thread of this process; if the port is taken, only the metrics are missing."""
    try:
        start_http_server(port, host, collector())
    except OSError as exc:
        log.error("no metrics, the port cannot be opened: host=%s port=%d error=%s", host, port, exc)
        return
    log.info("metrics on http://%s:%d/metrics", host, port)
