"""Frames before a close frame are handled, even in the same TCP segment.

Our client disconnects like this: it marks entries as read, and closes.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.harness.conformance.handshake import request
from tests.harness.hostile.frames import close, text
from tests.harness.hostile.session import hello
from tests.harness.site import Site
from tests.harness.waiting import until

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset
SECONDS = 10.0


@contextmanager
def raw_socket(site: Site, user: str, device: str | None = None) -> Iterator[socket.socket]:
    """Return a TCP connection whose upgrade and hello are answered."""
    with socket.create_connection(("127.0.0.1", site.backend.port), timeout=SECONDS) as raw:
        raw.sendall(request())
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += raw.recv(4_096)
        raw.sendall(hello(site.backend.token(user), device=device))
        while b'"op":"live"' not in heard:
            heard += raw.recv(4_096)
        yield raw


def three_alerts(site: Site, user: str) -> list[str]:
    ids = [site.send(user, title) for title in ("a", "b", "c")]
    site.arrived(user, 3)
    return ids


def all_read(site: Site, user: str) -> None:
    """Wait until the three alerts are read, each by a change of its own."""
    with site.user(user) as api:
        until(lambda: api.inbox().json["unread"] == 0, SECONDS, "all three are read")
        assert api.inbox().json["seq"] == 6


@pytest.mark.parametrize(
    "cut", [pytest.param(None, id="in one segment"), pytest.param(-3, id="the close cut in two")]
)
def test_three_reads_in_front_of_a_close_are_all_stored(site: Site, user: str, cut: int | None) -> None:
    reads = b"".join(text({"op": "read", "ids": [each]}) for each in three_alerts(site, user))
    with raw_socket(site, user) as raw:
        data = reads + close()
        raw.sendall(data[:cut])
        if cut is not None:
            raw.sendall(data[cut:])
        heard = b""
        while part := raw.recv(4_096):
            heard += part
        assert heard.endswith(b"\x88\x02\x03\xe8")  # the close frame's answer is the last
    all_read(site, user)


def test_an_ack_in_front_of_a_close_counts_as_delivered(site: Site, user: str) -> None:
    sent = site.send(user)
    site.arrived(user, 1)
    with raw_socket(site, user, device="phone") as raw:
        raw.sendall(text({"op": "ack", "seq": 1}) + close())
        while raw.recv(4_096):
            pass
    until(lambda: site.api.notification(sent).json["delivered"] == 1, SECONDS, "the alert is delivered")


def test_three_reads_of_a_client_that_is_gone_before_an_answer_are_all_stored(site: Site, user: str) -> None:
    """The answers to the pings cannot be sent; the frames after the pings are still handled."""
    reads = b"".join(text({"op": "read", "ids": [each]}) for each in three_alerts(site, user))
    with raw_socket(site, user) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        raw.sendall(text({"op": "ping"}) * 20 + reads)
    all_read(site, user)
