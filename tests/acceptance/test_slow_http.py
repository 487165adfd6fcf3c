"""Slow-loris clients, which send a byte at a time or read no answer, are disconnected after some seconds."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.harness import backends
from tests.harness.site import Site
from tests.harness.waiting import until

SECONDS = 1.0  # for sending a body, and for reading an answer
HEAD_SECONDS = 5.0
SLACK = 5.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("slow-http")
    backend = backends.embedded(folder / "var")
    backend.env["NOTIFIER_REQUEST_TIMEOUT"] = str(SECONDS)
    site = Site(backend, folder)
    with contextlib.closing(site):
        yield site.up()


@contextlib.contextmanager
def connected(site: Site, first: bytes) -> Iterator[socket.socket]:
    """Return a connection that has sent data and has a small receive buffer."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0.1)
        client.connect(("127.0.0.1", site.backend.port))
        client.sendall(first)
        yield client


def dribble(client: socket.socket, seconds: float) -> bytes:
    """Send a byte now and then until the server closes the connection; return its answer."""
    said, ends = b"", time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            client.sendall(b"x")
            if not (data := client.recv(4096)):
                return said
            said += data
        except TimeoutError:
            continue
        except ConnectionError:
            return said
    raise AssertionError(f"still open after {seconds:g} s: {said!r}")


def post(site: Site, key: str) -> bytes:
    return (
        f"POST /api/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"
    ).encode()


def test_a_head_that_never_ends_is_ended(site: Site) -> None:
    with connected(site, b"GET /healthz HTTP/1.1\r\nX: ") as client:
        dribble(client, HEAD_SECONDS + SLACK)


def test_a_body_that_comes_too_slowly_is_408(site: Site) -> None:
    before = site.rows("notifications")
    with connected(site, post(site, site.backend.api_key)) as client:
        said = dribble(client, SECONDS + HEAD_SECONDS + SLACK)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"status":408' in said
    assert site.rows("notifications") == before


def test_a_slow_body_without_the_right_key_is_401_at_once(site: Site) -> None:
    with connected(site, post(site, "wrong")) as client:
        assert until(lambda: _received(client), SLACK, "an answer").startswith(b"HTTP/1.1 401 ")


def _received(client: socket.socket) -> bytes:
    try:
        return client.recv(4096)
    except TimeoutError:
        return b""


def test_an_answer_that_nobody_reads_is_ended(site: Site) -> None:
    """Given many requests sent together and no answer read, more than the buffers on the way can hold."""
    worker = gunicorn_worker(site)
    before = worker.num_fds()
    request = b"GET /client/notifier.js HTTP/1.1\r\nHost: x\r\n\r\n"
    with connected(site, b"") as client:
        client.settimeout(None)
        until(lambda: worker.num_fds() > before, SLACK, "it is connected")
        with contextlib.suppress(ConnectionError):
            client.sendall(request * 1_500)
        until(lambda: worker.num_fds() <= before, SECONDS + HEAD_SECONDS + SLACK, "it is given up")
    assert "Traceback" not in site.processes[0].log.read_text()


def gunicorn_worker(site: Site) -> psutil.Process:
    """Return gunicorn's newest process below `notifier up`."""
    below = psutil.Process(site.processes[0].pid).children(recursive=True)
    return max((one for one in below if "gunicorn" in " ".join(one.cmdline())), key=lambda one: one.pid)
