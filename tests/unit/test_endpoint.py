"""What is kept of a handshake once its socket is open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from notifier import send
from tests.harness.world import settings
from web import create_app
from web import socket_route as endpoint
from web.runtime import EXTENSION


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(settings(var_dir=tmp_path, api_keys="a-key"))
    yield app
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


def test_an_open_socket_keeps_no_headers(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are thousands of sockets, and a cookie or a proxy's header may be long."""
    seen: dict[str, Any] = {}

    class Connection:
        def __init__(self, _gateway: object, _wire: object, agent: str | None) -> None:
            self.session, self._agent = self, agent

        def verify(self, token: str) -> None:
            raise AssertionError(token)

        def run(self) -> None:
            seen.update(agent=self._agent, kept=[n for n in request.environ if n.startswith("HTTP_")])

    monkeypatch.setattr(endpoint, "ClientConnection", Connection)
    monkeypatch.setattr(endpoint, "WebSocketTransport", lambda *_: None)
    monkeypatch.setattr(app.extensions[EXTENSION].gateway, "start", lambda: None)
    headers = {"User-Agent": "a browser", "Cookie": "x" * 4_000, "Origin": "http://localhost"}
    with app.test_request_context("/ws", headers=headers):
        assert "HTTP_COOKIE" in request.environ
        endpoint.serve(None)
    assert seen == {"agent": "a browser", "kept": []}
    assert not app.extensions[EXTENSION].gateway.connections
