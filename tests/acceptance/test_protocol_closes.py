"""docs/contract.md, section 6: a frame that breaks the protocol closes the socket with the right code."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.harness.client import PROTOCOL
from tests.harness.plain_socket import Socket
from tests.harness.site import Site
from tests.harness.tokens import wrong_tokens

KIB_64 = 64 * 1024
WRONG_TOKENS = list(wrong_tokens("x", "a-secret-for-naming-the-cases-0123456789"))


def test_no_hello_within_five_seconds_is_4408(site: Site) -> None:
    with site.open() as socket:
        begun = time.monotonic()
        socket.expect_close(4408, seconds=9)
        assert 4 < time.monotonic() - begun < 8


@pytest.mark.parametrize(
    "first",
    [
        pytest.param({"op": "ping"}, id="ping before hello"),
        pytest.param({"op": "ack", "seq": 0}, id="ack before hello"),
        pytest.param({"op": "subscribe"}, id="unknown op"),
        pytest.param({"token": "t"}, id="no op"),
        pytest.param({"op": ["hello"]}, id="op is not a string"),
        pytest.param("hello", id="not JSON"),
        pytest.param("", id="empty"),
        pytest.param("[]", id="an array"),
        pytest.param("null", id="null"),
        pytest.param('"hello"', id="a string"),
        pytest.param("{", id="half an object"),
        pytest.param("[" * 30_000, id="nested deeply"),
        pytest.param(b"\x00\x01", id="binary"),
        pytest.param(b'{"op": "ping"}', id="binary JSON"),
    ],
)
def test_a_wrong_first_frame_is_4400(site: Site, first: Any) -> None:
    with site.open() as socket:
        socket.send(first)
        socket.expect_close(4400)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"after": -1}, id="after is negative"),
        pytest.param({"after": 1.5}, id="after is not a whole number"),
        pytest.param({"after": "1"}, id="after is a string"),
        pytest.param({"after": True}, id="after is a truth"),
        pytest.param({"after": 2**70}, id="after is no 64-bit number"),
        pytest.param({"device": "d" * 65}, id="device is too long"),
        pytest.param({"device": 7}, id="device is a number"),
    ],
)
def test_a_hello_that_breaks_a_rule_is_4400(site: Site, user: str, wrong: dict[str, Any]) -> None:
    with site.open() as socket:
        socket.send({"op": "hello", "token": site.backend.token(user), "after": None, **wrong})
        socket.expect_close(4400)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param({"op": "nothing"}, id="unknown op"),
        pytest.param({"op": "hello", "token": "t", "after": None}, id="a second hello"),
        pytest.param({"op": "ack"}, id="ack without seq"),
        pytest.param({"op": "ack", "seq": "1"}, id="ack with a string"),
        pytest.param({"op": "ack", "seq": -1}, id="ack with a negative seq"),
        pytest.param({"op": "read"}, id="read of nothing"),
        pytest.param({"op": "read", "ids": ["x"], "through": 1}, id="read of both"),
        pytest.param({"op": "read", "through": None}, id="read through null"),
        pytest.param({"op": "unread", "through": 1}, id="unread through"),
        pytest.param({"op": "archive", "ids": "x"}, id="archive of a string"),
        pytest.param({"op": "auth"}, id="auth without a token"),
        pytest.param("x", id="not JSON"),
        pytest.param(b"x", id="binary"),
    ],
)
def test_a_wrong_frame_on_a_live_socket_is_4400(site: Site, user: str, frame: Any) -> None:
    with site.socket(user) as socket:
        socket.send(frame)
        socket.expect_close(4400)


@pytest.mark.parametrize("fault", WRONG_TOKENS)
def test_a_hello_with_a_wrong_token_is_4401(site: Site, user: str, fault: str) -> None:
    with site.open() as socket:
        socket.send(op="hello", token=wrong_tokens(user, site.backend.secret)[fault], after=None)
        socket.expect_close(4401)


def test_a_hello_without_a_token_is_4401(site: Site) -> None:
    with site.open() as socket:
        socket.send(op="hello", after=None)
        socket.expect_close(4401)


def test_a_socket_ends_with_its_token(site: Site, user: str) -> None:
    with site.open() as socket:
        socket.enter(site.backend.token(user, ttl=2))
        socket.expect_close(4401, seconds=8)


def test_a_fresh_token_keeps_the_socket_open(site: Site, user: str) -> None:
    ends = time.time() + 2
    with site.open() as socket:
        socket.enter(site.backend.token(user, ttl=2))
        socket.send(op="auth", token=site.backend.token(user))
        while time.time() < ends + 1.5:
            socket.nothing_before_pong()
            time.sleep(0.2)  # here the token's expiry passes
        site.send(user)
        socket.expect("event", seq=1)


def test_a_fresh_token_of_another_user_is_refused(site: Site, user: str, other: str) -> None:
    with site.socket(user) as socket:
        socket.send(op="auth", token=site.backend.token(other))
        socket.expect_close(4401)


def test_a_frame_of_64_kib_is_taken_and_one_byte_more_is_1009(site: Site, user: str) -> None:
    def padded(size: int) -> str:
        frame = {"op": "ping", "pad": ""}
        return json.dumps({**frame, "pad": "x" * (size - len(json.dumps(frame)))})

    with site.socket(user) as socket:
        socket.send(padded(KIB_64))
        socket.expect("pong")
        socket.send(padded(KIB_64 + 1))
        socket.expect_close(1009)


def test_a_frame_of_65_kb_as_the_first_is_1009(site: Site) -> None:
    with site.open() as socket:
        socket.send("x" * 66_560)
        socket.expect_close(1009)


def test_too_many_frames_are_4429(site: Site, user: str) -> None:
    with site.socket(user) as socket:
        try:
            for _ in range(1000):
                socket.send(op="ping")
        except ConnectionClosed:
            pass
        socket.expect_close(4429)


def test_too_many_sockets_of_one_user_are_4429(site: Site, user: str) -> None:
    token = site.backend.token(user)

    async def flood() -> int | None:
        sockets = []
        try:
            for _ in range(300):
                socket = await connect(
                    site.backend.ws_url, subprotocols=[PROTOCOL], compression=None, proxy=None
                )
                sockets.append(socket)
                await socket.send(json.dumps({"op": "hello", "token": token, "after": 0}))
                try:
                    await asyncio.wait_for(socket.recv(), 10)
                except ConnectionClosed:
                    return socket.close_code
            return None
        finally:
            await asyncio.gather(*(socket.close() for socket in sockets))

    assert asyncio.run(flood()) == 4429


def test_a_foreign_origin_is_refused_and_the_own_origin_is_not(site: Site, user: str) -> None:
    with Socket(site.backend.ws_url, origin=site.backend.base_url) as socket:
        socket.enter(site.backend.token(user))
    for foreign in (
        "http://evil.example",
        "null",
        f"{site.backend.base_url}.evil.example",
        "http://127.0.0.1:1",
    ):
        with pytest.raises(InvalidStatus, match="403"):
            Socket(site.backend.ws_url, origin=foreign).expect_close(4403)


def test_the_socket_address_without_an_upgrade_is_a_client_error(site: Site) -> None:
    answer = site.api.get("/ws")
    assert 400 <= answer.status < 500, answer
