"""Pages of our own host and of the listed origins may open a socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifier import send
from notifier.core.errors import SettingError
from notifier.settings import Settings
from tests.harness.world import settings
from web import create_app
from web.socket_route import origin_allowed

LIST = ("https://shop.example",)


@pytest.mark.parametrize("allowed", [(), LIST])
@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "here.example"),
        ("http://here.example", "here.example"),
        ("http://here.example:3000", "here.example:3000"),
        ("http://xn--bcher-kva.localhost:3000", "xn--bcher-kva.localhost:3000"),
        ("https://xn--bcher-kva.example", "XN--BCHER-KVA.example"),
        ("https://here.example", "here.example:443"),
        ("http://here.example:80", "here.example"),
        ("http://[::1]:3000", "[::1]:3000"),
        ("https://here.example", "here.example"),  # TLS ends at the proxy
    ],
)
def test_our_own_page_may(origin: str | None, host: str, allowed: tuple[str, ...]) -> None:
    assert origin_allowed(origin, host, allowed)


@pytest.mark.parametrize("allowed", [(), LIST])
@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "here.example"),
        ("http://here.example:3001", "here.example:3000"),
        ("http://here.example", "here.example:443"),
        ("http://here.example.evil.example", "here.example"),
        ("http://u@here.example", "here.example"),
        ("null", ""), ("", ""), ("http://", ""), ("http://[", "["), ("null", "null"),
        ("file://here.example", "here.example"), ("chrome-extension://here.example", "here.example"),
    ],
)  # fmt: skip
def test_a_foreign_page_may_not(origin: str, host: str, allowed: tuple[str, ...]) -> None:
    assert not origin_allowed(origin, host, allowed)


def test_a_page_in_the_list_may() -> None:
    assert origin_allowed("https://shop.example", "here.example", LIST)
    assert origin_allowed("https://SHOP.example/", "here.example", LIST)


def test_a_refusal_is_one_line_with_both_values(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings.load(var_dir=tmp_path, demo=False))
    headers = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "http://evil.example", "Host": "here.example",
    }  # fmt: skip
    try:
        answer = app.test_client().get("/ws", headers=headers)
    finally:
        send.use(None)
    assert answer.status_code == 403
    (line,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert "origin='http://evil.example'" in line
    assert "host='here.example'" in line


def test_an_idn_in_the_list_is_what_browsers_send() -> None:
    chosen = settings(allowed_origins="https://bücher.example:8443, http://plain.example")
    assert chosen.allowed_origins == ("https://xn--bcher-kva.example:8443", "http://plain.example")


def test_a_host_that_cannot_be_one_is_a_wrong_setting() -> None:
    with pytest.raises(SettingError, match="NOTIFIER_ALLOWED_ORIGINS"):
        settings(allowed_origins=f"https://{'ü' * 80}.example")
