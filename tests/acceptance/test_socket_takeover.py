"""The gateway takes sockets over from Flask-Sock after its handshake: what must not get lost on the way."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
from pathlib import Path

import psutil
from wsproto.connection import CLIENT, Connection
from wsproto.events import TextMessage

from tests.harness.plain_socket import Socket
from tests.harness.processes import BIN, REPO, Process, clean_env
from tests.harness.site import Site, new_user
from tests.harness.waiting import free_port, until

COMINGS = int(os.environ.get("COMINGS", "150"))  # 20000: the long form
GROWTH = 3 * 2**20  # bytes


def test_frames_in_the_segment_of_the_handshake_are_heard(site: Site, user: str) -> None:
    """The parser of gunicorn has read them with the request."""
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{site.backend.port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Protocol: notifier.v1\r\n\r\n"
    ).encode()
    protocol = Connection(CLIENT)
    hello = json.dumps({"op": "hello", "token": site.backend.token(user), "after": None})
    frames = protocol.send(TextMessage(data=hello)) + protocol.send(TextMessage(data='{"op": "ping"}'))
    with socket.create_connection(("127.0.0.1", site.backend.port), timeout=30) as raw:
        raw.sendall(head + frames)
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += raw.recv(4096)
        protocol.receive_data(heard.split(b"\r\n\r\n", 1)[1])
        ops: list[str] = []
        while len(ops) < 3:
            ops += [
                json.loads(event.data)["op"] for event in protocol.events() if isinstance(event, TextMessage)
            ]
            if len(ops) < 3:
                protocol.receive_data(raw.recv(4096))
    assert ops == ["welcome", "live", "pong"]


def test_sockets_that_come_and_go_leave_no_descriptor_and_no_memory(site: Site) -> None:
    web = max(
        (p for p in psutil.Process(site.processes[0].pid).children(recursive=True) if _is_web(p)),
        key=lambda p: p.pid,
    )

    def come_and_go() -> tuple[int, int]:
        for _ in range(COMINGS):
            with site.socket(new_user("comes")):
                pass
        until(lambda: _sockets(site) == before, 60, "all have gone")
        return web.num_fds(), web.memory_info().rss

    before = _sockets(site)
    come_and_go()  # what is made once
    handles, memory = come_and_go()
    more_handles, more_memory = come_and_go()
    assert more_handles <= handles + 3  # connections of the database and the like
    assert more_memory <= memory + GROWTH


def _is_web(process: psutil.Process) -> bool:
    return "gunicorn" in " ".join(process.cmdline()) and not process.children()


def _sockets(site: Site) -> float:
    lines = site.api.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("notifier_sockets "))


def test_gunicorns_own_tls_is_refused_with_one_line(tmp_path: Path) -> None:
    """A TLS socket cannot be taken over."""
    done = subprocess.run(
        [BIN / "gunicorn", "--certfile", "cert.pem", "--keyfile", "key.pem"],
        cwd=REPO, env=clean_env({"NOTIFIER_VAR_DIR": str(tmp_path), "NOTIFIER_PORT": str(free_port())}),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "TLS" in line]
    assert line.startswith("certfile, keyfile: gunicorn's own TLS cannot serve WebSockets here; ")
    assert "Traceback" not in done.stderr


def test_flasks_development_server_serves_sockets_too(site: Site, tmp_path: Path) -> None:
    port = free_port()
    command = [str(BIN / "flask"), "--app", "web", "run", "--port", str(port)]
    process = Process("flask run", command, env=site.backend.env, log=tmp_path / "flask.log").start()
    try:
        process.wait_logged("Running on")
        for user in (new_user() for _ in range(2)):
            with Socket(f"ws://127.0.0.1:{port}/ws") as client:
                client.enter(site.backend.token(user))
                site.send(user)
                client.expect("event", 30, seq=1)
                client.nothing_before_pong()
    finally:
        process.kill()
