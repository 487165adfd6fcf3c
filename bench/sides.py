"""All sides by their names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from bench import ours
from bench.peers import durable, gateways, pipelines
from bench.target import Target

OURS = "live-notifications"
EMBEDDED = "embedded"
FLASK, NODE, NODE_DURABLE = "flask-socketio", "node", "node-durable"
NODE_BULK = "node-bulk"  # the latter with BullMQ's addBulk in front
PIPELINES = (OURS, FLASK, NODE)  # from tutorials, with few promises
DURABLE_PIPELINES = (*PIPELINES, NODE_DURABLE)
NCHAN, SOCKETIO, PYTHON_SOCKETIO = "nchan", "socketio", "python-socketio"
WEBSOCKETS, FLASK_SOCK = "websockets", "flask-sock"
EACH_QUEUE, ONE_QUEUE = "queue-each", "one-queue"  # two ways of ours to subscribe

TITLES = {
    OURS: "Live Notifications",
    EMBEDDED: "Live Notifications, embedded",
    FLASK: "Flask-SocketIO + Celery",
    NODE: "Express + Socket.IO + BullMQ",
    NODE_DURABLE: "Express, same promises",
    NODE_BULK: "BullMQ addBulk, same promises",
    NCHAN: "Nchan",
    SOCKETIO: "Socket.IO",
    PYTHON_SOCKETIO: "python-socketio",
    WEBSOCKETS: "websockets (floor)",
    FLASK_SOCK: "Flask-Sock, plain",
    EACH_QUEUE: "a queue for each user",
    ONE_QUEUE: "one queue, a binding for each",
}

OWN = {OURS: "production", EMBEDDED: "embedded"}
_PEERS: dict[str, Callable[[], AbstractContextManager[Target]]] = {
    FLASK: pipelines.flask_socketio,
    NODE: pipelines.node,
    NODE_DURABLE: durable.node_durable,
    NODE_BULK: durable.node_bulk,
    NCHAN: gateways.nchan,
    SOCKETIO: gateways.socketio,
    PYTHON_SOCKETIO: gateways.python_socketio,
    WEBSOCKETS: gateways.websockets,
    FLASK_SOCK: gateways.flask_sock,
}


def side(name: str, **ours_alone: Any) -> AbstractContextManager[Target]:
    """Start a side; raise `Missing` when it cannot be installed. `ours_alone` are options of our side."""
    if name in OWN:
        return ours.target(name, OWN[name], **ours_alone)
    return _PEERS[name]()
