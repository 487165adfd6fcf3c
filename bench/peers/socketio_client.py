"""A Socket.IO client for the tests of the peer, which keeps everything it receives, in order."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any

from websockets.sync.client import connect

from bench.peers.durable import Durable
from tests.harness.tokens import user_token

SECONDS = 20.0


class Refused(Exception):
    """The server refused the connection."""


class Client:
    """A socket of a user; connected and live when its context is entered.

    Attributes:
        start: names and payloads that came before `live`, with it.
        events: payloads of all notifications so far, those of the replay included.
    """

    def __init__(self, peer: Durable, user: str, after: int | None = None, token: str | None = None) -> None:
        self._token = user_token(user, peer.secret) if token is None else token
        self._after = after
        self._connecting = connect(f"ws://127.0.0.1:{peer.port}/socket.io/?EIO=4&transport=websocket")
        self.start: list[tuple[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Client:
        self._socket = self._connecting.__enter__()
        try:
            assert self._packet().startswith("0")
            self._socket.send("40" + json.dumps({"token": self._token, "after": self._after}))
            answer = self._packet()
            if answer.startswith("44"):
                raise Refused(answer)
            while not self.start or self.start[-1][0] != "live":
                self.start.append(self._hear())
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _packet(self, seconds: float = SECONDS) -> str:
        while True:
            text = self._socket.recv(seconds)
            assert isinstance(text, str)
            if text != "2":
                return text
            self._socket.send("3")

    def _hear(self, seconds: float = SECONDS) -> tuple[str, Any]:
        packet = self._packet(seconds)
        assert packet.startswith("42"), packet
        name, payload = json.loads(packet[2:])
        if name == "notification":
            self.events.append(payload)
        return name, payload

    def wait_events(self, count: int, seconds: float = SECONDS) -> list[dict[str, Any]]:
        """Wait until `count` notifications have arrived in total; return them."""
        while len(self.events) < count:
            self._hear(seconds)
        return self.events

    def wait_for(self, name: str) -> Any:
        """Wait for the next payload of this name."""
        while True:
            heard, payload = self._hear()
            if heard == name:
                return payload

    def say(self, name: str, **payload: Any) -> None:
        """Send an event to the server."""
        self._socket.send("42" + json.dumps([name, payload]))

    def named(self, name: str) -> list[Any]:
        """Return the payloads of this name from the start."""
        return [payload for heard, payload in self.start if heard == name]

    def seqs(self) -> list[int]:
        """Return the seqs of all notifications so far."""
        return [event["seq"] for event in self.events]
