"""Violations of HTTP and RFC 6455: invalid requests, invalid frames, fragments in a wrong order."""

from __future__ import annotations

import json
import random
import zlib

from tests.harness.hostile.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    TEXT,
    close,
    frame,
    text,
)  # fmt: skip
from tests.harness.hostile.session import (
    BROKEN,
    Leave,
    Session,
    any_leave,
    hello,
    maybe_hello,
    scenario,
    upgrade,
)  # fmt: skip

KIB_64 = 64 * 1024


@scenario
def garbage_instead_of_an_upgrade(rng: random.Random, _token: str) -> Session:
    begins = [
        b"", b"GET ", b"GET /ws HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET /ws HTTP/9.9\r\n\r\n",
        b"\r\n" * 40, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /ws HTTP/1.1\r\nA:" + b"b" * 9_000,
        b"POST /ws HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"POST /api/badges HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ]  # fmt: skip
    return Session(upgrade=rng.choice(begins) + rng.randbytes(rng.randint(0, 300)), leave=any_leave(rng))


@scenario
def an_upgrade_with_a_wrong_header(rng: random.Random, _token: str) -> Session:
    changes: list[dict[str, str | None]] = [
        {"Sec_WebSocket_Key": None}, {"Sec_WebSocket_Key": "x"}, {"Sec_WebSocket_Key": "é" * 24},
        {"Sec_WebSocket_Version": None}, {"Sec_WebSocket_Version": "12"}, {"Sec_WebSocket_Version": "13, 8"},
        {"Upgrade": "h2c, websocket"}, {"Upgrade": "WebSocket\t"}, {"Connection": "close"},
        {"Connection": None}, {"Host": None}, {"Host": "[::1"}, {"Sec_WebSocket_Protocol": "\xff,,;"},
        {"Sec_WebSocket_Protocol": ""}, {"Origin": "http://[bad"}, {"Origin": "http://127.0.0.1\xa0"},
        {"Sec_WebSocket_Extensions": "permessage-deflate; server_max_window_bits=99"},
        {"Sec_WebSocket_Extensions": ";;=,"}, {"Content_Length": "5"}, {"Transfer_Encoding": "chunked"},
        {"Expect": "100-continue"}, {"X_Forwarded_For": "a" * 4_000}, {"User_Agent": "\xff" * 1_000},
        {"Authorization": "Bearer " + "a" * 5_000}, {"A_\x00": "b"}, {"Cookie": "\x7f"},
    ]  # fmt: skip
    return Session(upgrade=upgrade(**rng.choice(changes)), leave=any_leave(rng))


@scenario
def a_handshake_cut_short(rng: random.Random, _token: str) -> Session:
    whole = upgrade()
    return Session(upgrade=whole[: rng.randrange(len(whole))], leave=rng.choice([Leave.HALF, Leave.CUT]))


@scenario
def frames_in_the_packet_of_the_upgrade(rng: random.Random, token: str) -> Session:
    return Session(upgrade=upgrade() + hello(token) * rng.randint(1, 9), leave=any_leave(rng))


@scenario
def random_bytes(rng: random.Random, token: str) -> Session:
    return Session((*maybe_hello(rng, token), rng.randbytes(rng.randint(1, 600))), leave=any_leave(rng))


@scenario
def a_frame_with_some_bits_turned(rng: random.Random, token: str) -> Session:
    data = bytearray(rng.choice([hello(token), text({"op": "ping"}), close(), frame(PING, b"x" * 20)]))
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return Session((*maybe_hello(rng, token), bytes(data)), leave=any_leave(rng))


@scenario
def a_frame_cut_short(rng: random.Random, token: str) -> Session:
    data = rng.choice([hello(token), frame(TEXT, b"x" * 70_000), frame(BINARY, b"x" * 300), close()])
    cut = data[: rng.randrange(1, len(data))]
    return Session((*maybe_hello(rng, token), cut), leave=rng.choice([Leave.HALF, Leave.CUT]))


@scenario
def a_reserved_opcode(rng: random.Random, token: str) -> Session:
    data = frame(rng.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), rng.randbytes(rng.randint(0, 100)))
    return Session((*maybe_hello(rng, token), data), BROKEN)


@scenario
def a_reserved_bit(rng: random.Random, token: str) -> Session:
    data = text({"op": "ping"}, rsv=rng.choice([0x10, 0x20, 0x40, 0x70]))
    return Session((*maybe_hello(rng, token), data), BROKEN)


@scenario
def compressed_though_refused(rng: random.Random, token: str) -> Session:
    offered = upgrade(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    packed = zlib.compress(b"[" * 1_000_000)[2:-4] if rng.random() < 0.5 else rng.randbytes(200)
    return Session((*maybe_hello(rng, token), frame(TEXT, packed, rsv=RSV1)), BROKEN, upgrade=offered)


@scenario
def a_frame_without_a_mask(rng: random.Random, token: str) -> Session:
    data = frame(rng.choice([TEXT, BINARY, PING, CLOSE]), b'{"op":"ping"}', masked=False)
    return Session((*maybe_hello(rng, token), data), BROKEN)


@scenario
def a_length_that_lies(rng: random.Random, token: str) -> Session:
    size = rng.choice([200, 65_535, 2**31, 2**40, 2**62, 2**63 - 1])
    data = frame(TEXT, b'{"op":"ping"}' * rng.randint(0, 9), size=size)
    return Session((*maybe_hello(rng, token), data), leave=rng.choice([Leave.HALF, Leave.CUT]))


@scenario
def a_length_written_wrong(rng: random.Random, token: str) -> Session:
    data = rng.choice([
        frame(TEXT, b"x" * 20, width=2), frame(TEXT, b"x" * 20, width=8), frame(TEXT, b"x" * 200, width=8),
        frame(TEXT, b"x", size=2**63, width=8), frame(TEXT, b"x", size=2**64 - 1, width=8),
    ])  # fmt: skip
    return Session((*maybe_hello(rng, token), data), BROKEN)


@scenario
def a_wrong_control_frame(rng: random.Random, token: str) -> Session:
    data = rng.choice([
        frame(PING, b"x" * 126), frame(PONG, b"x" * 1_000), frame(PING, b"x", fin=False),
        frame(CLOSE, b"x"), frame(CLOSE, b"\x03\xe8", fin=False), frame(PING, b"", size=2**40),
        close(999), close(1004), close(1005), close(1006), close(1015), close(0), close(65_535),
    ])  # fmt: skip
    return Session((*maybe_hello(rng, token), data), BROKEN)


@scenario
def a_close_with_a_reason_that_is_not_text(rng: random.Random, token: str) -> Session:
    return Session((*maybe_hello(rng, token), close(1000, b"\xff\xfe")), frozenset({1007}))


@scenario
def a_good_message_in_pieces(rng: random.Random, token: str) -> Session:
    payload = json.dumps({"op": "ping", "pad": "é" * rng.randint(0, 50)}, ensure_ascii=False).encode()
    pieces, at, opcode = [], 0, TEXT
    for _ in range(rng.randint(1, 6)):
        size = rng.randint(0, len(payload) - at)
        pieces.append(frame(opcode, payload[at : at + size], fin=False))
        if rng.random() < 0.5:
            pieces.append(frame(rng.choice([PING, PONG]), b"between"))
        at, opcode = at + size, CONTINUATION
    pieces.append(frame(opcode, payload[at:]))
    return Session((hello(token), *pieces), frozenset({1000}), op="pong")


@scenario
def pieces_in_a_wrong_order(rng: random.Random, token: str) -> Session:
    data = rng.choice([
        frame(CONTINUATION, b"x"), frame(CONTINUATION, b"x", fin=False),
        frame(TEXT, b"{", fin=False) + text({"op": "ping"}),
        frame(BINARY, b"{", fin=False) + text({"op": "ping"}, fin=False),
    ])  # fmt: skip
    return Session((*maybe_hello(rng, token), data), BROKEN)


@scenario
def a_message_that_never_ends(rng: random.Random, token: str) -> Session:
    piece = rng.choice([b"", b"", b" ", b"x" * 3_000])
    data = frame(TEXT, b"", fin=False) + frame(CONTINUATION, piece, fin=False) * rng.randint(100, 3_000)
    return Session((*maybe_hello(rng, token), data), frozenset({1009, 4429, 1000}))


@scenario
def a_message_over_64_kib(rng: random.Random, token: str) -> Session:
    payload = rng.choice([b"x", b"[", '"é"'.encode()]) * (KIB_64 + rng.choice([1, 100, 200_000]))
    if rng.random() < 0.5:
        data = frame(TEXT, payload)
    else:
        data = frame(TEXT, payload[:60_000], fin=False) + frame(CONTINUATION, payload[60_000:])
    return Session((*maybe_hello(rng, token), data), frozenset({1009}))
