"""The metrics of a web process (names: https://prometheus.io/docs/practices/naming/)."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge

from models.store.status import Backlog

REGISTRY = CollectorRegistry()

SOCKETS = Gauge("notifier_sockets", "WebSockets that said hello and are open", registry=REGISTRY)
CLOSED = Counter("notifier_sockets_closed", "WebSockets closed, by close code", ["code"], registry=REGISTRY)
SENT = Counter("notifier_frames_sent", "Frames sent", registry=REGISTRY)
RECEIVED = Counter("notifier_frames_received", "Frames received", registry=REGISTRY)
REPAIRS = Counter("notifier_repairs", "Gaps fetched from SQL", registry=REGISTRY)
RESETS = Counter("notifier_resets", "Sockets told to start afresh", registry=REGISTRY)
OVERFLOWS = Counter(
    "notifier_buffer_overflows", "Socket buffers dropped because they were full", registry=REGISTRY
)
DELIVERED = Counter("notifier_delivered", "Deliveries acked for the first time", registry=REGISTRY)
UNPUBLISHED = Counter("notifier_unpublished", "Changes committed but not published", registry=REGISTRY)
DATABASE_UP = Gauge(
    "notifier_database_up", "Whether the database answered the last scrape", registry=REGISTRY
)
WAITING = Gauge("notifier_waiting", "Notifications accepted but not dispatched", registry=REGISTRY)
WAITING_AGE = Gauge("notifier_waiting_age_seconds", "Age of the oldest of them", registry=REGISTRY)
DEAD = Gauge("notifier_dead", "Notifications that could not be dispatched", registry=REGISTRY)


def set_backlog(backlog: Backlog) -> None:
    """Show what waits in the database."""
    DATABASE_UP.set(1)
    WAITING.set(backlog.waiting)
    DEAD.set(backlog.dead)
    age = (datetime.now(UTC) - backlog.oldest).total_seconds() if backlog.oldest else 0
    WAITING_AGE.set(max(0.0, age))
