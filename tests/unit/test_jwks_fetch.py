"""An identity provider that answers slowly, without end, or with a redirect blocks for a bounded time."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from web.jwks_fetch import fetch

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Answer = Callable[[socket.socket], None]


@contextmanager
def provider(answer: Answer) -> Iterator[str]:
    """Yield the URL of a server that answers each connection like this, as long as the peer reads."""

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(65_536)
            answer(client)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/jwks"
        server.shutdown(socket.SHUT_RDWR)


def drip(client: socket.socket) -> None:
    client.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
    while True:
        client.sendall(b" ")
        time.sleep(0.02)


def drip_head(client: socket.socket) -> None:
    client.sendall(HEAD)
    while True:
        client.sendall(b"X: y\r\n"[:1] * 2)
        time.sleep(0.02)


def flood(client: socket.socket) -> None:
    client.sendall(HEAD + b"Content-Length: 300000000\r\n\r\n")
    for _ in range(300):
        client.sendall(b" " * 1_000_000)


def test_a_document_is_read() -> None:
    with provider(lambda client: client.sendall(HEAD + b'Content-Length: 11\r\n\r\n{"keys":[]}')) as url:
        assert fetch(url) == {"keys": []}


def test_a_slow_answer_ends_in_time() -> None:
    began = time.monotonic()
    with provider(drip) as url, pytest.raises(TimeoutError):
        fetch(url, timeout=0.5)
    assert time.monotonic() - began < 2


def test_a_flood_is_cut_off() -> None:
    sent = 0

    def counted(client: socket.socket) -> None:
        nonlocal sent
        client.sendall(HEAD + b"Content-Length: 300000000\r\n\r\n")
        for _ in range(300):
            client.sendall(b" " * 1_000_000)
            sent += 1

    with provider(counted) as url, pytest.raises(ValueError, match="over 100000 bytes"):
        fetch(url, max_bytes=100_000)
    assert sent < 100


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\n", b"nonsense\r\n\r\n", HEAD + b"Content-Length: 2\r\n\r\n[}",
     HEAD.replace(b"200", b"500") + b"\r\n"],
)  # fmt: skip
def test_an_answer_that_is_not_a_document_is_an_error(answer: bytes) -> None:
    with provider(lambda client: client.sendall(answer)) as url, pytest.raises((OSError, ValueError)):
        fetch(url, timeout=2)


def test_no_redirect_is_followed() -> None:
    def there(client: socket.socket) -> None:
        client.sendall(HEAD + b'Content-Length: 11\r\n\r\n{"keys":[]}')

    with provider(there) as url:
        answer = f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()
        with (
            provider(lambda client: client.sendall(answer)) as elsewhere,
            pytest.raises(OSError, match="302"),
        ):
            fetch(elsewhere)


UNDER_GEVENT = """
from gevent import monkey; monkey.patch_all()
import sys, time
from web.jwks_fetch import fetch
began = time.monotonic()
try:
    fetch(sys.argv[1], timeout=0.5)
except TimeoutError:
    print(time.monotonic() - began)
"""


@pytest.mark.parametrize("answer", [drip, drip_head])
def test_in_a_web_process_the_head_is_timed_too(answer: Answer) -> None:
    with provider(answer) as url:
        done = subprocess.run(
            [sys.executable, "-c", UNDER_GEVENT, url], capture_output=True, text=True, timeout=30, check=True
        )
    assert float(done.stdout) < 3
