"""X-Forwarded-For as proxies write it: the address alone is what the limits count."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from web.forwarded import BareAddress, bare_address


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("8.8.8.8:1001", "8.8.8.8"),
        (" 8.8.8.8:80 ", "8.8.8.8"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:8.8.8.8", "::ffff:808:808"),
        ("unknown", None),
        ("_hidden", None),
        ("[2001:db8::1", "2001:db8::1"),
        ("[]", None),
        ("host:80", None),
        ("", None),
        ("8.8.8.8.8", None),
    ],
)
def test_an_entry_is_read(written: str, address: str | None) -> None:
    assert bare_address(written) == address


def seen(hops: int, **headers: str) -> str:
    """Return the address that the application behind the middlewares sees."""
    found: list[str] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        found.append(environ["REMOTE_ADDR"])
        return []

    environ = {"REMOTE_ADDR": "127.0.0.9", "wsgi.url_scheme": "http", **headers}
    ProxyFix(BareAddress(app), x_for=hops)(environ, lambda *_: lambda _: None)
    return found[0]


def test_each_port_of_an_address_is_the_same_address() -> None:
    assert {seen(1, HTTP_X_FORWARDED_FOR=f"8.8.8.8:{port}") for port in range(1_000, 1_010)} == {"8.8.8.8"}
    assert seen(2, HTTP_X_FORWARDED_FOR="1.2.3.4, [2001:db8::1]:7, 10.0.0.1:8") == "2001:db8::1"


def test_something_else_than_an_address_counts_as_the_proxy() -> None:
    for number in range(3):
        assert seen(1, HTTP_X_FORWARDED_FOR=f"name-{number}") == "127.0.0.9"


def test_without_the_header_the_peer_counts() -> None:
    assert seen(1) == "127.0.0.9"
