"""The protocols of the measured servers' clients.

A dialect gets each text frame and answers through the socket: `live`, `event`, `say`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

from tests.harness.tokens import user_token

_TITLE = b'"title"'
_SEQ = b'"seq":'


class Listener(Protocol):
    """What a dialect needs of a socket."""

    user: str
    after: int | None

    def say(self, text: bytes) -> None:
        """Send a text frame."""

    def live(self) -> None:
        """Note that it is connected and up to date."""

    def event(self, title: bytes, seq: int = 0) -> None:
        """Note an alert."""


class Dialect(Protocol):
    """The protocol of one server's clients."""

    @property
    def subprotocol(self) -> str | None:
        """Return the WebSocket subprotocol to ask for."""

    def path(self, user: str) -> str:
        """Return the path to connect to."""

    def opened(self, socket: Listener) -> None:
        """Handle the finished upgrade."""

    def heard(self, socket: Listener, text: bytes) -> None:
        """Handle a text frame."""

    def ack(self, seq: int) -> bytes | None:
        """Return the frame that acknowledges everything up to `seq`, if the protocol has one."""


def title_of(text: bytes) -> bytes | None:
    """Return the first title in a JSON text without parsing it; None when there is none."""
    at = text.find(_TITLE)
    if at < 0:
        return None
    start = text.index(b'"', at + len(_TITLE)) + 1
    return text[start : text.index(b'"', start)]


def seq_of(text: bytes) -> int:
    """Return the first seq in a JSON text."""
    start = end = text.index(_SEQ) + len(_SEQ)
    while text[end : end + 1].isdigit():
        end += 1
    return int(text[start:end])


@dataclass(frozen=True)
class Ours:
    """`notifier.v1`: hello, welcome, the missed events, live; each event is acked."""

    secret: str
    subprotocol: str | None = "notifier.v1"

    def path(self, user: str) -> str:  # noqa: ARG002
        """Return the socket's path."""
        return "/ws"

    def opened(self, socket: Listener) -> None:
        """Say hello."""
        token = user_token(socket.user, self.secret)
        hello = {"op": "hello", "token": token, "after": socket.after, "device": "bench"}
        socket.say(json.dumps(hello).encode())

    def heard(self, socket: Listener, text: bytes) -> None:
        """Handle events, `live` and errors."""
        title = title_of(text)
        if title is not None:
            socket.event(title, seq_of(text))
        elif json.loads(text)["op"] == "live":
            socket.live()

    def ack(self, seq: int) -> bytes | None:
        """Return a cumulative ack."""
        return b'{"op":"ack","seq":%d}' % seq


@dataclass(frozen=True)
class SocketIO:
    """Engine.IO 4 and Socket.IO 5 over WebSocket alone, with the user and the last id in `auth`."""

    subprotocol: str | None = None

    def path(self, user: str) -> str:  # noqa: ARG002
        """Return the path that skips long polling."""
        return "/socket.io/?EIO=4&transport=websocket"

    def opened(self, socket: Listener) -> None:
        """Do nothing: the server sends the first frame."""

    def heard(self, socket: Listener, text: bytes) -> None:
        """Handle open, ping, connect and event packets."""
        if text.startswith(b"42"):
            title = title_of(text)
            if title is not None:
                socket.event(title)
        elif text.startswith(b"2"):
            socket.say(b"3")
        elif text.startswith(b"0"):
            auth = {"user_id": socket.user, "after": socket.after}
            socket.say(b"40" + json.dumps(auth).encode())
        elif text.startswith(b"40"):
            socket.live()

    def ack(self, seq: int) -> bytes | None:  # noqa: ARG002
        """Return None: the tutorials have no ack."""
        return None


@dataclass(frozen=True)
class Plain:
    """Plain frames; with `greets` the client first says who it is, and gets an answer.

    Attributes:
        route: the path; `{user}` in it becomes the user.
        greets: whether the client says who it is.
    """

    route: str
    greets: bool = False
    subprotocol: str | None = None

    def path(self, user: str) -> str:
        """Return the path for this user."""
        return self.route.format(user=user)

    def opened(self, socket: Listener) -> None:
        """Send the user's name, or be live at once."""
        if self.greets:
            socket.say(socket.user.encode())
        else:
            socket.live()

    def heard(self, socket: Listener, text: bytes) -> None:
        """Handle an event, or the answer to the greeting."""
        title = title_of(text)
        if title is not None:
            socket.event(title)
        else:
            socket.live()

    def ack(self, seq: int) -> bytes | None:  # noqa: ARG002
        """Return None: there is no ack."""
        return None
