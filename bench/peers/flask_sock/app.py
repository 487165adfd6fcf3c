"""A plain Flask-Sock handler, with which the gateway is compared. See README.md."""

from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
sock = Sock(app)


@sock.route("/ws")
def echo(ws):
    """Echo every message."""
    while True:
        ws.send(ws.receive())
