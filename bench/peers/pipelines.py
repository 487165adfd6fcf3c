"""The pipelines: HTTP in, a task queue, rows, sockets out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.load.dialects import SocketIO
from bench.peers import install
from bench.peers.running import Family, database, folder, redis
from bench.target import Command, Target
from tests.harness.waiting import free_port

_COUNT = "SELECT count(*) FROM notifications"


@contextmanager
def flask_socketio() -> Iterator[Target]:
    """Flask + Flask-SocketIO (gevent) + Celery + Redis + PostgreSQL."""
    programs = install.python("flask_socketio")
    cwd = install.FOLDER / "flask_socketio"
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        url, port = stack.enter_context(database()), free_port()
        env = {"DATABASE_URL": url, "REDIS_URL": stack.enter_context(redis(place))}
        family = Family(place, cwd, env)
        stack.callback(family.stop)
        gateway = family.start(
            "flask-web",
            [str(programs / "gunicorn"), "-k", "gevent", "-w", "1", "--worker-connections", "20000",
             "-b", f"127.0.0.1:{port}", "app:app"],
            port=port,
        )  # fmt: skip
        family.start(
            "flask-worker", [str(programs / "celery"), "-A", "tasks.celery", "worker", "-l", "info"],
            says=" ready.",
        )  # fmt: skip
        yield Target(
            "flask-socketio", port, SocketIO(), gateway=(gateway,), database_url=url, persisted=_COUNT,
            sender=Command([str(programs / "python"), "send.py"], env, str(cwd)),
        )  # fmt: skip


@contextmanager
def node() -> Iterator[Target]:
    """Express + Socket.IO + BullMQ + Redis + pg."""
    cwd = install.node("node")
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        url, port = stack.enter_context(database()), free_port()
        env = {
            "DATABASE_URL": url,
            "REDIS_URL": stack.enter_context(redis(place, keeps=True)),
            "PORT": str(port),
            "NODE_ENV": "production",
        }
        family = Family(place, cwd, env)
        stack.callback(family.stop)
        gateway = family.start("node-web", ["node", "web.js"], port=port)
        family.start("node-worker", ["node", "worker.js"], says="ready")
        yield Target(
            "node", port, SocketIO(), gateway=(gateway,), database_url=url, persisted=_COUNT,
            sender=Command(["node", "send.js"], env, str(cwd)),
        )  # fmt: skip
