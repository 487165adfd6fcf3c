"""Sockets of the gateway in the test's own process: the real session, transport and turns, over socket pairs.

What is around them (tokens, hub, SQL) is fake: nobody has missed anything, and everything is confirmed.
"""

from __future__ import annotations

import _socket
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gevent
from wsproto.connection import CLIENT, SERVER, Connection
from wsproto.events import CloseConnection, TextMessage

from notifier.core.log import Snapshot
from notifier.core.session import Principal
from notifier.settings import Settings
from tests.harness.world import settings
from web.gateway.connection import ClientConnection
from web.gateway.deadlines import TICK, Deadlines
from web.gateway.snapshots import SnapshotRequest
from web.gateway.takeover import TakenSocket
from web.gateway.turns import Turns
from web.gateway.websocket_transport import WebSocketTransport
from web.one_at_a_time import OneAtATime

BUFFER = 4096  # bytes that the kernel holds for a socket


class Nothing:
    """Takes every call, and does nothing."""

    timeout = 60.0

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


@dataclass(eq=False)
class FakeServices:
    """What connections use of their gateway."""

    settings: Settings = field(default_factory=settings)
    gateway: str = "gateway"
    database: Any = field(default_factory=Nothing)
    publisher: Any = field(default_factory=Nothing)
    hub: Any = field(default_factory=Nothing)
    acks: Any = field(default_factory=Nothing)
    presence: Any = field(default_factory=Nothing)
    changes: OneAtATime = field(default_factory=OneAtATime)
    turns: Turns = field(default_factory=Turns)
    deadlines: Deadlines = field(default_factory=Deadlines)

    def verify(self, token: str) -> Principal:
        """A token is its user's id."""
        return Principal(token, float("inf"))

    def snapshots(self, request: SnapshotRequest) -> Snapshot:
        """Nobody has a log yet."""
        return Snapshot(head=0, unread=0, badges={}, window=(), log=None, reset=None)


class Client:
    """The other end of a socket pair."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.protocol = Connection(CLIENT)
        self.text = ""
        self.close_code: int | None = None

    def say(self, **frame: Any) -> None:
        """Send a frame."""
        self.sock.sendall(self.protocol.send(TextMessage(data=json.dumps(frame))))

    def leave(self) -> None:
        """Close in order."""
        self.sock.sendall(self.protocol.send(CloseConnection(1000)))

    def heard(self) -> list[str]:
        """Read what has come; return the ops of whole frames."""
        try:
            while data := self.sock.recv(1 << 16):
                self.protocol.receive_data(data)
        except BlockingIOError:
            pass
        found = []
        for event in self.protocol.events():
            if isinstance(event, CloseConnection):
                self.close_code = int(event.code)
            if isinstance(event, TextMessage):
                self.text += event.data
                if event.message_finished:
                    found.append(json.loads(self.text)["op"])
                    self.text = ""
        return found

    def expect(self, *ops: str) -> None:
        """Read on until these ops have come, and nothing else."""
        heard: list[str] = []

        def all_came() -> bool:
            heard.extend(self.heard())
            return len(heard) >= len(ops)

        soon(all_came)
        assert heard == [*ops]


class InProcessGateway:
    """Opens sockets, and keeps those that are open.

    Args:
        changed: settings other than the defaults.
    """

    def __init__(self, **changed: Any) -> None:
        self.services = FakeServices(settings(**changed))
        self.open_now: set[ClientConnection] = set()

    @contextmanager
    def running(self) -> Iterator[InProcessGateway]:
        """Let time pass for its sockets."""
        loop = gevent.spawn(self._tick)
        try:
            yield self
        finally:
            loop.kill()

    def _tick(self) -> None:
        while True:
            gevent.sleep(TICK)
            self.services.deadlines.advance()

    def connect(self) -> tuple[ClientConnection, Client]:
        """Open a socket; return both ends."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        theirs.setblocking(False)
        sock = _socket.socket(ours.family, socket.SOCK_STREAM, 0, ours.detach())
        sock.setblocking(False)
        transport = WebSocketTransport(
            TakenSocket(sock, Connection(SERVER), read_ahead=False, detached=True),
            ping_interval=self.services.settings.ping_interval,
            slow_timeout=self.services.settings.slow_timeout,
        )
        connection = ClientConnection(self.services, transport, None, ended=self.open_now.remove)  # type: ignore[arg-type]
        self.open_now.add(connection)
        connection.start()
        return connection, Client(theirs)

    def enter(self, user: str) -> tuple[ClientConnection, Client]:
        """Open a socket and say hello; return both ends when it is live."""
        connection, client = self.connect()
        client.say(op="hello", token=user, after=None)
        client.expect("welcome", "live")
        return connection, client


def soon(condition: Callable[[], object], seconds: float = 60) -> None:
    """Let greenlets run until the condition holds. Raises gevent.Timeout."""
    with gevent.Timeout(seconds):
        while not condition():
            gevent.sleep(0.001)
