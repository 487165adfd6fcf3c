"""The faults of Flask-Sock 0.7 and simple-websocket 1.1 under gevent, and their cure: web/gateway/transport.py."""

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

from tests.integration.transport_app import pattern

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 60.0


@contextmanager
def served(slow_timeout: float) -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "--config", "python:tests.integration.empty_conf"]
        command += [
            "-k",
            "gevent",
            "--bind",
            f"fd://{listener.fileno()}",
            "tests.integration.transport_app:app",
        ]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "SLOW_TIMEOUT": str(slow_timeout)},
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(slow_timeout=30) as port:
        yield port


class SlowReader:
    """A WebSocket client that reads `chunk` bytes at a time, with a small receive buffer."""

    def __init__(
        self, port: int, path: str, *, chunk: int, pause: float = 0.0, deflate: bool = False
    ) -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(("127.0.0.1", port))
        self.ws = WSConnection(ConnectionType.CLIENT)
        self.chunk, self.pause = chunk, pause
        offered = [PerMessageDeflate()] if deflate else []
        self.sock.sendall(
            self.ws.send(
                Request(host="localhost", target=path, subprotocols=["notifier.v1"], extensions=offered)
            )
        )
        self.accepted: AcceptConnection | None = None
        self.close_code: int | None = None
        self.pings = 0

    def frames(self) -> Iterator[str]:
        """Yield each whole frame, until the server closes."""
        text = ""
        while self.close_code is None:
            data = self.sock.recv(self.chunk)
            if not data:
                self.close_code = 1006
                return
            self.ws.receive_data(data)
            for event in self.ws.events():
                match event:
                    case AcceptConnection():
                        self.accepted = event
                        yield ""
                    case TextMessage() | BytesMessage():
                        text += str(event.data)
                        if event.message_finished:
                            yield text
                            text = ""
                    case Ping():
                        self.pings += 1
                        yield "ping"
                    case CloseConnection():
                        self.close_code = event.code
            if self.pause:
                time.sleep(self.pause)  # the slowness of this reader, not a wait for an event

    def __enter__(self) -> "SlowReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def test_a_slow_reader_of_large_frames_gets_every_byte(port: int) -> None:
    with SlowReader(port, "/frames?senders=1&count=8&size=500000", chunk=65_536, pause=0.0002) as reader:
        got = [frame for frame in reader.frames() if frame]
    assert [len(frame) for frame in got] == [len(pattern(0, n, 500_000)) for n in range(8)]
    assert all(frame == pattern(0, number, 500_000) for number, frame in enumerate(got))
    assert reader.close_code == 4001


def test_frames_sent_while_the_reader_is_slow_are_not_mixed(port: int) -> None:
    with SlowReader(port, "/frames?senders=8&count=10&size=60000", chunk=65_536) as reader:
        got = Counter(frame for frame in reader.frames() if frame)
    assert got == Counter(pattern(sender, number, 60_000) for sender in range(8) for number in range(10))
    assert reader.close_code == 4001


def test_deflate_is_not_negotiated_though_offered(port: int) -> None:
    with SlowReader(port, "/frames?senders=1&count=1&size=1000", chunk=4096, deflate=True) as reader:
        list(reader.frames())
    assert reader.accepted is not None
    assert reader.accepted.extensions == []
    assert reader.accepted.subprotocol == "notifier.v1"


def test_a_reader_without_progress_is_closed_with_4410_and_gets_the_code() -> None:
    with served(slow_timeout=0.5) as port, SlowReader(port, "/stuck", chunk=65_536) as reader:
        frames = reader.frames()
        next(frames)  # accepted
        time.sleep(0.8)  # reads nothing for longer than the timeout: this is the fault itself
        got = [frame for frame in frames if frame]
        assert got
        assert set(got) == {pattern(0, 0, 65_536)}  # complete to the last one
        assert reader.close_code == 4410


def test_a_silent_peer_is_pinged_and_then_closed(port: int) -> None:
    with SlowReader(port, "/echo", chunk=4096) as reader:
        began = time.monotonic()
        assert [frame for frame in reader.frames() if frame] == ["ping"]  # unanswered by this client
        assert reader.close_code == 1006
        assert time.monotonic() - began < 10


def test_a_frame_and_the_close_behind_it_in_one_packet_end_the_socket_at_once(port: int) -> None:
    with SlowReader(port, "/echo", chunk=4096) as reader:
        frames = reader.frames()
        next(frames)
        last = reader.ws.send(TextMessage(data="quiet")) + reader.ws.send(CloseConnection(1000, "bye"))
        began = time.monotonic()
        reader.sock.sendall(last)
        while reader.sock.recv(4096):
            pass
        assert time.monotonic() - began < 0.9  # the server would ping after a second


def test_a_flood_of_frames_is_read_only_as_fast_as_it_is_handled(port: int) -> None:
    with SlowReader(port, "/echo", chunk=65_536) as reader:
        frames = reader.frames()
        next(frames)
        for _ in range(2_000):
            reader.sock.sendall(reader.ws.send(TextMessage(data="x" * 1_000)))
            if _ % 100 == 99:
                assert [next(frames) for _ in range(100)] == ["x" * 1_000] * 100
