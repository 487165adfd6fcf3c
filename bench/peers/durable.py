"""The Node pipeline with the same promises as ours, and its clients' protocol."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from bench.load.dialects import Listener, SocketIO, seq_of, title_of
from bench.peers import install
from bench.peers.private_redis import PrivateRedis
from bench.peers.running import database, folder
from bench.target import Command, Target
from tests.harness.processes import Process
from tests.harness.tokens import user_token
from tests.harness.waiting import accepts, free_port

NAME = "node_durable"
FOLDER = install.FOLDER / NAME


@dataclass(frozen=True)
class DurableSocketIO(SocketIO):
    """Socket.IO with a token, a replay that ends in `live`, and acks.

    Attributes:
        secret: signs the users' tokens.
    """

    secret: str = ""

    def heard(self, socket: Listener, text: bytes) -> None:
        """Send the token; handle events and `live`."""
        if text.startswith(b"0"):
            auth = {"token": user_token(socket.user, self.secret), "after": socket.after}
            socket.say(b"40" + json.dumps(auth).encode())
        elif text.startswith(b"42"):
            title = title_of(text)
            if title is not None:
                socket.event(title, seq_of(text))
            elif text.startswith(b'42["live"'):
                socket.live()
        elif text.startswith(b"2"):
            socket.say(b"3")

    def ack(self, seq: int) -> bytes | None:
        """Return a cumulative ack."""
        return b'42["ack",{"seq":%d}]' % seq


class Durable:
    """A running peer: a web process and a worker, on a database and a Redis of its own.

    Attributes:
        port: of HTTP and WebSocket, on 127.0.0.1.
        secret: signs the users' tokens.
        api_key: of the backend callers.
        database_url: for psycopg.
        redis: its Redis.
        env: its processes' environment.
        web, worker: the processes.
    """

    def __init__(
        self, place: Path, database_url: str, redis: PrivateRedis, worker: str = "worker", **settings: str
    ) -> None:
        self.port, self.database_url, self.redis = free_port(), database_url, redis
        self.secret, self.api_key = secrets.token_hex(32), secrets.token_hex(16)
        env = {
            "DATABASE_URL": database_url, "REDIS_URL": redis.url, "NODE_ENV": "production",
            "PORT": str(self.port), "API_KEY": self.api_key, "SECRET": self.secret, **settings,
        }  # fmt: skip
        with psycopg.connect(database_url) as connection:
            connection.execute((FOLDER / "schema.sql").read_bytes())
        self.env, self._place = env, place
        self.web, self.worker = self.process("web"), self.process(worker)

    def process(self, program: str, name: str = "") -> Process:
        """Return a process of the peer, not started yet."""
        name = name or program
        log = self._place / f"{name}.log"
        return Process(f"node-durable-{name}", ["node", f"{program}.js"], env=self.env, log=log, cwd=FOLDER)

    def start_web(self) -> None:
        """Start the web process and wait until it listens."""
        self.web.start().wait_until(lambda: accepts(self.port), f"listens on {self.port}")

    def start_worker(self) -> None:
        """Start the worker and wait until it logs that it is ready, after its first sweep."""
        before = self.worker.log.read_text().count("ready") if self.worker.log.exists() else 0
        self.worker.start().wait_until(
            lambda: self.worker.log.read_text().count("ready") > before, "says that it is ready"
        )

    def stop(self) -> None:
        """End both."""
        self.worker.kill()
        self.web.kill()

    def target(self) -> Target:
        """Return the target for the load generator."""
        return Target(
            "node-durable", self.port, DurableSocketIO(secret=self.secret),
            headers={"Authorization": f"Bearer {self.api_key}"}, gateway=(self.web.pid,),
            database_url=self.database_url, persisted="SELECT count(*) FROM deliveries",
        )  # fmt: skip


@contextmanager
def running(*, bulk: bool = False, **settings: str) -> Iterator[Durable]:
    """Start the peer.

    Args:
        bulk: alerts also come as jobs of its Redis, which then has a file.
        settings: more environment variables (see settings.js).
    """
    install.node(NAME)
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        url = stack.enter_context(database())
        redis = PrivateRedis(place, keeps=bulk)
        stack.callback(redis.kill)
        redis.start()
        peer = Durable(place, url, redis, "bulk-worker" if bulk else "worker", **settings)
        stack.callback(peer.stop)
        peer.start_web()
        peer.start_worker()
        yield peer


@contextmanager
def node_durable() -> Iterator[Target]:
    """Express + Socket.IO + BullMQ + PostgreSQL, with the promises of our side."""
    with running() as peer:
        yield peer.target()


@contextmanager
def node_bulk() -> Iterator[Target]:
    """Yield the same with BullMQ's addBulk in front: a job in Redis for each alert, stored by its worker."""
    with running(bulk=True) as peer:
        sender = Command(["node", "bulk.js"], peer.env, str(FOLDER))
        yield replace(peer.target(), name="node-bulk", sender=sender)
