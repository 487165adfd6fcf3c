"""What is kept of a handshake once its socket is open."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from wsproto.connection import SERVER, Connection

from notifier import send
from tests.harness.in_process_gateway import soon
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
    ours, theirs = socket.socketpair()
    gateway = app.extensions[EXTENSION].gateway
    monkeypatch.setattr(gateway, "start", lambda: None)
    kept: list[weakref.ref[Any]] = []

    def open_socket() -> None:
        headers = {"User-Agent": "a browser", "Cookie": "x" * 4_000, "Origin": "http://localhost"}
        with app.test_request_context("/ws", headers=headers) as context:
            kept.append(weakref.ref(context.request))
            ws = SimpleNamespace(sock=ours, mode="gunicorn", connected=True, ws=None)
            ws.ws = SimpleNamespace(connection=Connection(SERVER))
            endpoint.prepare(context.request.environ, 30)
            assert "HTTP_COOKIE" not in context.request.environ, "nor does the handshake read it"
            endpoint.serve(ws)
            assert (ours.fileno(), ws.connected) == (-1, False)

    open_socket()
    gc.collect()
    assert kept[0]() is None
    (connection,) = gateway.connections
    assert connection._user_agent == "a browser"
    theirs.close()
    soon(lambda: not gateway.connections)
