"""The metrics of the web processes (names: https://prometheus.io/docs/practices/naming/)."""

from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from models.store import erased, reach, status
from monitoring.metrics import (
    DATABASE_ERRORS,
    DISPATCH_TO_DELIVERED,
    REGISTRY,
    UNPUBLISHED,
    collector,
    listen,
)
from notifier.broker.faults import STATES
from notifier.core.errors import DatabaseUnavailable
from notifier.outbox import clock, readiness
from notifier.outbox.engine import Database
from notifier.outbox.failures import Cause

#: Our close codes, and the registered ones (https://www.iana.org/assignments/websocket).
KNOWN_CODES = frozenset({*range(1000, 1016), 4400, 4401, 4403, 4408, 4410, 4429})

__all__ = ["DATABASE_ERRORS", "DISPATCH_TO_DELIVERED", "UNPUBLISHED", "close_code", "exposition", "listen"]

SOCKETS = Gauge(
    "notifier_sockets",
    "WebSockets that said hello and are open",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
BROKER_UP = Gauge(
    "notifier_broker_up",
    "Whether the broker accepts events and every gateway of this site receives them",
    registry=REGISTRY,
    multiprocess_mode="livemin",
)
_BROKER_STATE = Gauge(
    "notifier_broker_state",
    "1 while the broker has this fault",
    ["state"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
BROKER_STATE = {state: _BROKER_STATE.labels(state) for state in STATES}
CLOSED = Counter("notifier_sockets_closed", "WebSockets closed, by close code", ["code"], registry=REGISTRY)
SENT = Counter("notifier_frames_sent", "Frames sent", registry=REGISTRY)
RECEIVED = Counter("notifier_frames_received", "Frames received", registry=REGISTRY)
REPAIRS = Counter("notifier_repairs", "Gaps fetched from SQL", registry=REGISTRY)
RESETS = Counter("notifier_resets", "Sockets that were reset", registry=REGISTRY)
OVERFLOWS = Counter(
    "notifier_buffer_overflows", "Socket buffers dropped because they were full", registry=REGISTRY
)
DELIVERED = Counter("notifier_delivered", "Deliveries acked for the first time", registry=REGISTRY)


def close_code(code: int) -> str:
    """Return the label of a close code: peers may send thousands of them, and each would be a series."""
    return str(code) if code in KNOWN_CODES else "other"


class Backlog(Collector):
    """The backlog in the database, read at each scrape: the same from every process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield whether the database answers and accepts writes, and if so the backlog."""
        try:
            with self._database.read() as connection:
                backlog = status.backlog(connection)
                channels = reach.backlog(connection, present=clock.present(connection))
                unfinished = erased.unfinished(connection)
        except DatabaseUnavailable as exc:
            yield _database_state(readiness.cause_of(exc))
            yield _gauge("database_up", "Whether the database answered this scrape", 0)
            return
        yield _database_state(readiness.fault(self._database))
        age = (datetime.now(UTC) - backlog.oldest).total_seconds() if backlog.oldest else 0
        yield _gauge("database_up", "Whether the database answered this scrape", 1)
        yield _gauge("waiting", "Notifications accepted but not dispatched", backlog.waiting)
        yield _gauge("waiting_age_seconds", "Age of the oldest undispatched notification", max(0.0, age))
        yield _gauge("scheduled", "Notifications that wait for their time", backlog.scheduled)
        yield _gauge("overdue_seconds", "How long the next of them has been due", backlog.overdue)
        yield _gauge("dead", "Notifications that could not be dispatched", backlog.dead)
        late = (datetime.now(UTC) - channels.oldest).total_seconds() if channels.oldest else 0
        due = GaugeMetricFamily("notifier_channel_due", "Rows of a channel that are due", labels=["channel"])
        for channel, count in channels.due.items():
            due.add_metric([channel], count)
        yield due
        yield _gauge("channel_late_seconds", "How long the oldest of them has been due", max(0.0, late))
        yield _gauge("channel_failed", "Rows of channels whose attempts are used up", channels.failed)
        yield _gauge(
            "channel_unknown", "Rows of which nobody can know whether they were sent", channels.unknown
        )
        yield _gauge("erasures_unfinished", "Erasures that were begun and have something left", unfinished)


def _database_state(wrong: Cause | None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "notifier_database_state", "1 while the database has this fault", labels=["state"]
    )
    for cause, state in readiness.STATES.items():
        family.add_metric([state], cause is wrong)
    return family


def _gauge(name: str, means: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"notifier_{name}", means, value)


def exposition(database: Database) -> bytes:
    """Return all metrics as Prometheus's text, for all web processes of this site together."""
    return generate_latest(collector()) + generate_latest(Backlog(database))
