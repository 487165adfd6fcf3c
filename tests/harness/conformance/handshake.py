"""The request for the upgrade (RFC 6455, section 4.2.1); Autobahn's list has no case of it yet."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from tests.harness.conformance.case import Upgrade

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
KEY = base64.b64encode(bytes(range(16))).decode()
HOST = "notifier.example"
HEADERS = {
    "Host": HOST,
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "notifier.v1",
}
ACCEPTED = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Extensions": None}


def accept(key: str) -> str:
    """Return the answer to a key."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def request(
    *more: tuple[str, str],
    method: str = "GET",
    path: str = "/ws",
    version: str = "HTTP/1.1",
    body: bytes = b"",
    **changes: str | None,
) -> bytes:
    """Return a request for the upgrade.

    Args:
        more: headers besides.
        method: its method.
        path: its target.
        version: its version of HTTP.
        body: what follows the headers.
        changes: headers by name (`_` for `-`); None leaves one out.
    """
    headers = {**HEADERS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [f"{name}: {value}" for name, value in [*headers.items(), *more] if value is not None]
    return "\r\n".join([f"{method} {path} {version}", *lines, "", ""]).encode("latin-1") + body


def good(id: str, data: bytes, **headers: str | None) -> Upgrade:
    """Return a request that is accepted; `headers` are what the answer has besides."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Upgrade(f"handshake-{id}", data, 101, {"Sec-WebSocket-Accept": accept(KEY), **ACCEPTED, **named})


def bad(id: str, data: bytes, status: int = 400, deviates: str = "", **headers: str | None) -> Upgrade:
    """Return a request that is refused with `status`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Upgrade(f"handshake-{id}", data, status, {"Sec-WebSocket-Accept": None, **named}, deviates)


def upgrades() -> Iterator[Upgrade]:
    """Yield the cases of this family."""
    yield from _request_lines()
    yield from _upgrade_and_connection()
    yield from _keys()
    yield from _versions()
    yield from _hosts_and_origins()
    yield from _subprotocols()
    yield from _extensions()
    yield from _bodies()


def _request_lines() -> Iterator[Upgrade]:
    yield good("right", request())
    yield good("with-a-query", request(path="/ws?a=b"))
    yield good("with-another-header", request(("X-Anything", "value")))
    lower = dict.fromkeys(("Host", "Upgrade", "Connection", "Sec_WebSocket_Key", "Sec_WebSocket_Version"))
    small = [(name.lower(), value) for name, value in HEADERS.items() if name != "Sec-WebSocket-Protocol"]
    yield good("names-in-small-letters", request(*small, **lower))
    yield good("version-HTTP-1.2", request(version="HTTP/1.2"))
    for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"):
        yield bad(f"method-{method}", request(method=method), 405)
    yield bad("method-get", request(method="get"))
    for version in ("HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/11"):
        yield bad(f"version-{version.replace('/', '-')}", request(version=version))
    yield bad("another-path", request(path="/ws/"), 404)


def _upgrade_and_connection() -> Iterator[Upgrade]:
    for value in ("WebSocket", "WEBSOCKET", "websocket "):
        yield good(f"upgrade-{value.strip()}-{len(value)}", request(Upgrade=value))
    for value in (None, "", "h2c", "websockets", "web socket"):
        yield bad(f"upgrade-{value}", request(Upgrade=value))
    for value in ("h2c, websocket", "websocket, h2c", "websocket/13"):
        yield bad(f"upgrade-{value}", request(Upgrade=value), deviates="a list in Upgrade")
    for value in (
        "upgrade",
        "UPGRADE",
        "keep-alive, Upgrade",
        "Upgrade, keep-alive",
        "Upgrade,HTTP2-Settings",
    ):
        yield good(f"connection-{value}", request(Connection=value))
    yield good("two-connection-headers", request(("Connection", "Upgrade"), Connection="keep-alive"))
    for value in (None, "", "keep-alive", "close", "Upgrades", "Up grade"):
        yield bad(f"connection-{value}", request(Connection=value))


def _keys() -> Iterator[Upgrade]:
    sample = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, section 1.3
    yield good("key-of-the-rfc", request(Sec_WebSocket_Key=sample),
               Sec_WebSocket_Accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")  # fmt: skip
    for name, raw in (
        ("zeros", b"\x00" * 16),
        ("ones", b"\xff" * 16),
        ("signs", b"\xfb\xef\xbe" * 5 + b"\xfb"),
    ):
        key = base64.b64encode(raw).decode()
        yield good(f"key-of-{name}", request(Sec_WebSocket_Key=key), Sec_WebSocket_Accept=accept(key))
    yield good("key-with-blanks-around", request(Sec_WebSocket_Key=f"  {KEY} \t"))
    for size in (0, 1, 8, 12, 14, 15, 17, 18, 24, 32, 64):
        key = base64.b64encode(b"k" * size).decode()
        yield bad(f"key-of-{size}-bytes", request(Sec_WebSocket_Key=key))
    yield bad("key-missing", request(Sec_WebSocket_Key=None))
    for name, key in (
        ("no-base64", "no base64 at all"), ("text-of-16", "0123456789abcdef"), ("no-padding", KEY[:-2]),
        ("half-a-padding", KEY[:-1]), ("too-much-padding", KEY + "="), ("padding-alone", "=" * 24),
        ("url-safe", "-" * 22 + "=="), ("a-blank-inside", KEY[:10] + " " + KEY[10:]), ("quoted", f'"{KEY}"'),
        ("no-ascii", "é" * 22 + "=="), ("a-star-inside", KEY[:10] + "*" + KEY[10:]), ("a-comma", KEY + ","),
        ("a-list", f"{KEY}, {KEY}"),
    ):  # fmt: skip
        yield bad(f"key-{name}", request(Sec_WebSocket_Key=key))
    yield bad("key-twice-the-same", request(("Sec-WebSocket-Key", KEY)))
    other = base64.b64encode(b"\x01" * 16).decode()
    yield bad("key-twice-different", request(("Sec-WebSocket-Key", other)))
    yield bad("key-twice-one-empty", request(("Sec-WebSocket-Key", "")))


def _versions() -> Iterator[Upgrade]:
    told = {"Sec_WebSocket_Version": "13"}
    for value in ("0", "7", "8", "12", "14", "255", "13, 8", "8, 13", "013", "13.0", "+13", "0x0d", "abc"):
        yield bad(f"version-{value}", request(Sec_WebSocket_Version=value), 426, Upgrade="websocket", **told)
    yield bad("version-missing", request(Sec_WebSocket_Version=None))
    yield bad("version-empty", request(Sec_WebSocket_Version=""))
    for second in ("13", "8"):
        twice = request(("Sec-WebSocket-Version", second))
        yield bad(f"version-13-and-{second}", twice, 426, **told)


def _hosts_and_origins() -> Iterator[Upgrade]:
    yield bad("host-missing", request(Host=None))
    yield bad("host-twice", request(("Host", HOST)))
    yield bad("host-twice-different", request(("Host", "other.example")))
    yield good("host-with-a-port", request(Host=f"{HOST}:3000"))
    yield good("host-of-ipv6", request(Host="[::1]:3000"))
    yield good("origin-missing", request())
    yield good("origin-of-its-own", request(Origin=f"http://{HOST}"))
    for value in (
        "http://other.example",
        "null",
        f"http://{HOST}.other.example",
        f"http://{HOST}:81",
        "http://[",
    ):
        yield bad(f"origin-{value.replace('/', '')}", request(Origin=value), 403)


def _subprotocols() -> Iterator[Upgrade]:
    ours = "notifier.v1"
    for value in (ours, f"other, {ours}", f"{ours}, other", f"a,b,{ours},c", f" {ours} ,other"):
        yield good(f"subprotocol-{value}", request(Sec_WebSocket_Protocol=value), Sec_WebSocket_Protocol=ours)
    two = request(("Sec-WebSocket-Protocol", ours), Sec_WebSocket_Protocol="other")
    yield good("subprotocol-in-two-headers", two, Sec_WebSocket_Protocol=ours)
    for value in (None, "other", "Notifier.V1", "notifier.v2", "notifier"):
        yield good(
            f"subprotocol-{value}-only", request(Sec_WebSocket_Protocol=value), Sec_WebSocket_Protocol=None
        )


def _extensions() -> Iterator[Upgrade]:
    for value in (
        "permessage-deflate", "permessage-deflate; client_max_window_bits", "x-webkit-deflate-frame",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover", "unknown; a=b",
        "permessage-deflate; server_max_window_bits=8, permessage-deflate", ";;=,",
    ):  # fmt: skip
        yield good(f"extension-{value}", request(Sec_WebSocket_Extensions=value))


def _bodies() -> Iterator[Upgrade]:
    yield good("body-of-no-bytes", request(Content_Length="0"))
    yield bad("body-of-5-bytes", request(Content_Length="5", body=b"hello"))
    yield bad("body-of-5-bytes-told", request(Content_Length="5"))
    yield bad("body-in-chunks", request(Transfer_Encoding="chunked", body=b"5\r\nhello\r\n0\r\n\r\n"))
