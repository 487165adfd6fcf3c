"""A body is complete or refused, with a length or chunked: a cut body is never accepted."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest

from tests.harness import backends
from tests.harness.backend_api import ALERT
from tests.harness.site import Site, new_user

KEY = "key-of-the-tests-0123456789"
MIB = 1024 * 1024
SEND = "/api/notifications"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("bodies")
    backend = backends.embedded(folder / "var")
    backend.env.update(NOTIFIER_REQUEST_TIMEOUT="2", NOTIFIER_API_KEYS=KEY)
    site = Site(backend, folder)
    with contextlib.closing(site):
        yield site.up()


def head(path: str, *more: str, key: str = KEY) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {key}", "Connection: close", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def chunks(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


def said(site: Site, request: bytes) -> tuple[int, str]:
    """Send these bytes and nothing more; return the status and the whole answer."""
    answer = b""
    with socket.create_connection(("127.0.0.1", site.backend.port), timeout=15) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while data := client.recv(65536):
                answer += data
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12]), answer.decode("latin-1")


def body() -> bytes:
    return json.dumps({"user_id": new_user(), "data": ALERT}).encode()


CHUNKED = "Transfer-Encoding: chunked"
TOO_LONG = MIB - 10
CASES: dict[str, tuple[bytes, int]] = {
    "chunked, beyond 1 MiB after valid JSON and blanks": (
        head(SEND, CHUNKED) + chunks(body(), b" " * (MIB - len(body())), b"more"), 413,
    ),
    "chunked, one chunk beyond 1 MiB": (head(SEND, CHUNKED) + chunks(body() + b" " * MIB), 413),
    "chunked, whole": (head(SEND, CHUNKED) + chunks(*(bytes([byte]) for byte in body())), 202),
    "chunked, exactly 1 MiB": (
        head(SEND, CHUNKED) + chunks(body() + b" " * (MIB - len(body()))), 202,
    ),
    "a length over 1 MiB": (head(SEND, f"Content-Length: {MIB + 1}"), 413),
    "a chunk's size that is not a number": (head(SEND, CHUNKED) + b"ZZ\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk's size that is empty": (head(SEND, CHUNKED) + b"\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk's size that is negative": (head(SEND, CHUNKED) + b"-2\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk's size in other digits": (head(SEND, CHUNKED) + b"0x2\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk longer than its size": (head(SEND, CHUNKED) + b"2\r\n{}{}\r\n0\r\n\r\n", 400),
    "an extension that is none": (head(SEND, CHUNKED) + b"2;=\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk that stops": (head(SEND, CHUNKED) + chunks(body(), end=b"5\r\nab"), 400),
    "chunked without the last chunk": (head(SEND, CHUNKED) + chunks(body(), end=b""), 400),
    "chunked without the end of the last chunk": (head(SEND, CHUNKED) + chunks(body(), end=b"0\r\n"), 400),
    "a trailer that is not a header": (head(SEND, CHUNKED) + chunks(body(), end=b"0\r\nno header\r\n\r\n"), 400),
    "a body that stops before its length": (head(SEND, f"Content-Length: {len(body()) + 9}") + body(), 400),
    "length and chunks": (head(SEND, CHUNKED, "Content-Length: 2") + chunks(body()), 400),
    "two lengths": (head(SEND, "Content-Length: 2", "Content-Length: 3") + b"{}", 400),
    "a negative length": (head(SEND, "Content-Length: -1") + b"{}", 400),
    "a length that is not a number": (head(SEND, "Content-Length: 0x2") + b"{}", 400),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_body_is_whole_or_refused(site: Site, case: str) -> None:
    request, status = CASES[case]
    before = site.rows("notifications")
    got, answer = said(site, request)
    assert got == status, answer
    assert site.rows("notifications") == before + (status == 202)
    assert answer.count("HTTP/1.1 ") == 1


@pytest.mark.parametrize("path", ["/reports/sign-in", SEND, "/healthz", "/nowhere", "/ws"])
@pytest.mark.parametrize("wrong", [b"ZZ\r\n", b"5\r\nab", b"2\r\nabc\r\n"])
def test_a_broken_body_without_credentials_is_not_our_fault(site: Site, path: str, wrong: bytes) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    same = f"Origin: http://127.0.0.1:{site.backend.port}", f"Host: 127.0.0.1:{site.backend.port}"
    request = head(path, CHUNKED, form, *same, key="wrong").replace(b"Host: x\r\n", b"") + wrong
    status, answer = said(site, request)
    assert 400 <= status < 500, answer
    assert "Traceback" not in answer


def test_none_of_it_leaves_a_traceback_in_the_log(site: Site) -> None:
    for request, _ in CASES.values():
        said(site, request)
    text = site.processes[0].log.read_text()
    assert "Traceback" not in text, text[-3000:]
    assert "failed" not in text, text[-3000:]
