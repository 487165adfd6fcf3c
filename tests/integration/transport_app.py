"""A Flask-Sock application over our transport, for test_transport.py: sends frames whose every byte is known.

gunicorn -k gevent tests.integration.transport_app:app
"""

import os
from collections.abc import Callable

import gevent
from flask import Flask, request
from flask_sock import Sock
from simple_websocket import Server

from notifier.core.errors import TooSlow
from web.gateway.deadlines import NEVER, NOWHERE, TICK, Deadlines
from web.gateway.handshake import SERVER_OPTIONS
from web.gateway.takeover import take_over
from web.gateway.transport import PeerClosed
from web.gateway.turns import Turns, TurnState
from web.gateway.websocket_transport import WebSocketTransport
from web.socket_route import prepare

app = Flask(__name__)
app.config["SOCK_SERVER_OPTIONS"] = SERVER_OPTIONS
sock = Sock(app)
SLOW_TIMEOUT = float(os.environ.get("SLOW_TIMEOUT", "30"))
turns, deadlines = Turns(), Deadlines()


@app.before_request
def _wrap() -> None:
    prepare(request.environ, SLOW_TIMEOUT)


def _tick() -> None:
    while True:
        gevent.sleep(TICK)
        deadlines.advance()


class Served:
    """A transport, and what is done in each of its turns."""

    def __init__(self, ws: Server, work: Callable[[WebSocketTransport], bool]) -> None:
        if not deadlines._ticks:
            gevent.spawn(_tick)
        self.transport = WebSocketTransport(
            take_over(ws, request.environ), ping_interval=1, slow_timeout=SLOW_TIMEOUT
        )
        self.work = work
        self.turn_state, self.due, self.filed = TurnState.IDLE, NEVER, NOWHERE
        self.over = False
        self.transport.start(self.wake)
        self.wake()

    def wake(self) -> None:
        turns.ready(self)

    def turn(self) -> None:
        try:
            if not self.over:
                self.transport.check()
                self.over = not self.transport.blocked and not self.work(self.transport)
        except PeerClosed:
            self.over = True
        except TooSlow as exc:
            self.transport.close(exc.close_code, exc.detail)
            self.over = True
        if self.over:
            self.transport.release()
            self.transport.expire()
        else:
            self.transport.watch()
        self.due = self.transport.due
        deadlines.file(self)


def pattern(sender: int, number: int, size: int) -> str:
    """A frame that tells whose it is, and shows any byte that is missing, doubled or foreign."""
    head = f"{sender}:{number}:"
    return head + (head * (size // len(head) + 1))[:size]


@sock.route("/frames")
def frames(ws: Server) -> None:
    """Send `count` frames of `size` from each of `senders`, in turn, then close with 4001."""
    senders, count, size = (int(request.args[name]) for name in ("senders", "count", "size"))

    def run(transport: WebSocketTransport) -> bool:
        for number in range(count):
            for sender in range(senders):
                transport.send([pattern(sender, number, size).encode()])
        transport.close(4001, "all sent")
        return False

    Served(ws, run)


@sock.route("/stuck")
def stuck(ws: Server) -> None:
    """Send to a reader that does not read, until the transport gives up; it is closed with its code."""

    def run(transport: WebSocketTransport) -> bool:
        while not transport.blocked:
            transport.send([pattern(0, 0, 65_536).encode()])
        return True

    Served(ws, run)


@sock.route("/echo")
def echo(ws: Server) -> None:
    """Send every frame back but "quiet"; ping after a second of silence."""

    def run(transport: WebSocketTransport) -> bool:
        for frame in transport.read():
            if isinstance(frame, str) and frame != "quiet":
                transport.send([frame.encode()])
            if transport.blocked:
                break
        return True

    Served(ws, run)
