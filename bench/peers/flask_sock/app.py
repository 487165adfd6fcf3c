"""A plain Flask-Sock handler: what the project's gateway is compared with. See README.md."""

from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
sock = Sock(app)


@sock.route("/ws")
def echo(ws):
    """Echo for ever."""
    while True:
        ws.send(ws.receive())
