"""Metrics of both web and worker, for Prometheus (names: https://prometheus.io/docs/practices/naming/).

Imported only by processes that serve `/metrics`: other packages send a signal, or let the caller count.
"""

from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from monitoring import multiprocess
from notifier.broker.faults import UNBOUND
from notifier.signals import broker_failed, change_unpublished, message_rejected, notification_accepted

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody asks for

REGISTRY = CollectorRegistry()
#: Seconds. An alert takes about ten milliseconds, or minutes when a broker or worker was down.
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)

ACCEPTED = Counter("notifier_accepted", "Notifications stored", registry=REGISTRY)
UNPUBLISHED = Counter("notifier_unpublished", "Changes committed but not published", registry=REGISTRY)
DATABASE_ERRORS = Counter(
    "notifier_database_errors",
    "Transactions that could not reach the database, or got no answer in time",
    registry=REGISTRY,
)
_BROKER_ERRORS = Counter(
    "notifier_broker_errors",
    "Failures to connect to the broker, and lost connections",
    ["part"],
    registry=REGISTRY,
)
BROKER_ERRORS = {part: _BROKER_ERRORS.labels(part) for part in ("publish", "wake", "subscribe")}
BROKER_UNBOUND = Counter(
    "notifier_broker_unbound",
    "How often the exchange, a queue or a binding was found deleted and declared again",
    registry=REGISTRY,
)
_REFUSED = Counter(
    "notifier_refused",
    "Calls, credentials and sockets that were refused because they were over a limit",
    ["what"],
    registry=REGISTRY,
)
REFUSED = {
    what: _REFUSED.labels(what)
    for what in ("post", "user", "credentials", "socket_address", "socket_unauthenticated", "socket_capacity")
}
_REJECTED_MESSAGES = Counter(
    "notifier_rejected_messages",
    "Messages of the broker that break a rule: events at a gateway, tasks at a worker",
    ["what"],
    registry=REGISTRY,
)
REJECTED_MESSAGES = {what: _REJECTED_MESSAGES.labels(what) for what in ("event", "task")}
_LATENCY = Histogram(
    "notifier_latency_seconds",
    "Duration of a stage of delivery, in seconds",
    ["stage"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
ACCEPT_TO_DISPATCH = _LATENCY.labels("accept_to_dispatch")
DISPATCH_TO_PUBLISH = _LATENCY.labels("dispatch_to_publish")
DISPATCH_TO_DELIVERED = _LATENCY.labels("dispatch_to_delivered")


def listen() -> None:
    """Count the signals that this process's other packages send."""
    notification_accepted.connect(_accepted)
    broker_failed.connect(_broker_failed)
    message_rejected.connect(_message_rejected)
    change_unpublished.connect(_change_unpublished)


def _accepted(_sender: object, **_what: Any) -> None:
    ACCEPTED.inc()


def _broker_failed(_sender: object, *, part: str, state: str = "", **_what: Any) -> None:
    BROKER_ERRORS[part].inc()
    if state == UNBOUND and part == "subscribe":
        BROKER_UNBOUND.inc()


def _change_unpublished(_sender: object, **_what: Any) -> None:
    UNPUBLISHED.inc()


def _message_rejected(_sender: object, *, what: str, **_more: Any) -> None:
    REJECTED_MESSAGES[what].inc()


def collector() -> Collector:
    """Return the collector of this process, or of all processes that share a folder."""
    if not multiprocess.shared():
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together
