"""A Flask-Sock application over our transport, for test_transport.py: it sends frames with known bytes.

gunicorn -k gevent tests.integration.transport_app:app
"""

import os

import gevent
from flask import Flask, request
from flask_sock import Sock
from simple_websocket import Server

from notifier.core.errors import TooSlow
from web.gateway.handshake import SERVER_OPTIONS
from web.gateway.transport import PeerClosed, WebSocketTransport
from web.socket_route import prepare

app = Flask(__name__)
app.config["SOCK_SERVER_OPTIONS"] = SERVER_OPTIONS
sock = Sock(app)
SLOW_TIMEOUT = float(os.environ.get("SLOW_TIMEOUT", "30"))


@app.before_request
def _wrap() -> None:
    prepare(request.environ, SLOW_TIMEOUT)


def pattern(sender: int, number: int, size: int) -> str:
    """Return a frame that names its sender, and shows any missing, doubled or foreign byte."""
    head = f"{sender}:{number}:"
    return head + (head * (size // len(head) + 1))[:size]


@sock.route("/frames")
def frames(ws: Server) -> None:
    """Send `count` frames of `size` from each of `senders` greenlets at once, then close with 4001."""
    senders, count, size = (int(request.args[name]) for name in ("senders", "count", "size"))

    def run(sender: int) -> None:
        for number in range(count):
            ws.send(pattern(sender, number, size))

    gevent.joinall([gevent.spawn(run, sender) for sender in range(senders)], raise_error=True)
    wire = WebSocketTransport(ws, 25)
    wire.close(4001, "all sent")
    wire.release()


@sock.route("/stuck")
def stuck(ws: Server) -> None:
    """Send to a reader that does not read until the transport gives up; then close with its code."""
    wire = WebSocketTransport(ws, 25)
    try:
        for number in range(100_000):
            wire.send([pattern(0, number, 65_536).encode()])
    except TooSlow as exc:
        wire.close(exc.close_code, exc.detail)
    wire.release()


@sock.route("/echo")
def echo(ws: Server) -> None:
    """Send every frame back but "quiet"; ping after a second of silence."""
    wire = WebSocketTransport(ws, 1)
    try:
        while True:
            for frame in wire.read():
                if isinstance(frame, str) and frame != "quiet":
                    wire.send([frame.encode()])
            wire.wait(5)
    except PeerClosed:
        wire.release()
