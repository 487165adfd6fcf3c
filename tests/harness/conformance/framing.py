"""Frames: lengths, masks, reserved bits and opcodes (Autobahn 1, 3 and 4)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.harness.conformance.case import (
    SYNCED,
    Case,
    binary,
    case,
    in_segments,
    message,
    octets,
    pong,
    refused,
    text,
)  # fmt: skip
from tests.harness.hostile.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

BORDERS = (13, 124, 125, 126, 127, 128, 254, 255, 256, 4_095, 4_096, 4_097, 65_534, 65_535, 65_536)
RESERVED_DATA = (3, 4, 5, 6, 7)
RESERVED_CONTROL = (11, 12, 13, 14, 15)
KEYS = (
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\x01\x02\x03\x04",
    b"\x80\x00\x00\x00",
    b"\x00\x00\x00\x01",
)


def cases() -> Iterator[Case]:
    """Yield the cases of this family."""
    yield from _lengths()
    yield from _headers_in_two_segments()
    yield from _wrong_lengths()
    yield from _masks()
    yield from _reserved_bits()
    yield from _reserved_opcodes()


def _lengths() -> Iterator[Case]:
    numbers = {125: "1.1.2", 126: "1.1.3", 127: "1.1.4", 128: "1.1.5", 65_535: "1.1.6", 65_536: "1.1.7"}
    for size in BORDERS:
        yield case(f"framing-{numbers.get(size, '1.1')}-text-of-{size}", text(message(size)), hears=("pong",))
    chopped = text(message(65_536))
    pieces = [chopped[at : at + 997] for at in range(0, len(chopped), 997)]
    yield case("framing-1.1.8-text-of-65536-in-segments-of-997", *pieces, hears=("pong",))
    yield refused("framing-1.1.1-text-of-0", text(b""), code=4400, deviates="a text that is not an op")
    yield refused("framing-1.1-text-of-1", text(b"*"), code=4400, deviates="a text that is not an op")
    for number, size in enumerate((0, 125, 126, 127, 128, 65_535, 65_536), 1):
        data = binary(b"\xfe" * size)
        yield refused(f"framing-1.2.{number}-binary-of-{size}", data, code=4400, deviates="a binary message")
    yield refused(
        "framing-1.2-binary-that-is-an-op", binary(message()), code=4400, deviates="a binary message"
    )


def _headers_in_two_segments() -> Iterator[Case]:
    for size, head in ((13, 6), (126, 8), (65_536, 14)):
        data = text(message(size))
        for at in range(1, head + 2):
            yield case(
                f"framing-1.1-text-of-{size}-cut-in-its-header-at-{at}",
                *in_segments(data, at),
                hears=(SYNCED, "pong"),
            )
    yield case("framing-1.1-every-byte-a-segment", *octets(text(message(130))), hears=("pong",))


def _wrong_lengths() -> Iterator[Case]:
    told = [
        *((size, width) for size in (0, 1, 13, 124, 125) for width in (2, 8)),
        *((size, 8) for size in (126, 127, 65_534, 65_535)),
    ]
    for (size, width), (name, opcode) in product(told, (("text", TEXT), ("binary", BINARY))):
        data = frame(opcode, b" " * size, width=width)
        yield refused(f"framing-{name}-of-{size}-told-in-{width}-bytes", data, code=1002)
    for size in (2**63, 2**63 + 1, 2**64 - 1):
        data = frame(TEXT, b"{", size=size, width=8)
        yield refused(f"framing-length-of-{size:#x}", data, code=1002)


def _masks() -> Iterator[Case]:
    for key in KEYS:
        data = frame(TEXT, message(1_001), key=key)
        yield case(f"framing-mask-{key.hex()}", data, hears=("pong",))
        pinged = frame(PING, b"mask", key=key)
        yield case(f"framing-mask-{key.hex()}-of-a-ping", pinged, hears=(pong(b"mask"),))
    for name, opcode, payload in (
        ("text", TEXT, message()), ("binary", BINARY, b"\x00"), ("ping", PING, b""), ("pong", PONG, b"x"),
        ("close", CLOSE, b"\x03\xe8"), ("continuation", CONTINUATION, b""),
        ("text-of-126", TEXT, message(126)), ("text-of-65536", TEXT, message(65_536)),
    ):  # fmt: skip
        for hello in (True, False):
            data = frame(opcode, payload, masked=False)
            where = "" if hello else "-before-hello"
            yield refused(f"framing-{name}-without-a-mask{where}", data, code=1002, hello=hello)


def _reserved_bits() -> Iterator[Case]:
    numbers = {(1, "text"): "3.1", (5, "binary"): "3.5", (6, "ping"): "3.6", (7, "close"): "3.7"}
    kinds = (
        ("text", TEXT, message()), ("binary", BINARY, b"\x00"), ("ping", PING, b"x"), ("pong", PONG, b""),
        ("close", CLOSE, b"\x03\xe8"), ("empty-text", TEXT, b""),
    )  # fmt: skip
    for bits, (name, opcode, payload) in product(range(1, 8), kinds):
        data = frame(opcode, payload, rsv=bits << 4)
        number = numbers.get((bits, name), "3")
        yield refused(f"framing-{number}-rsv-{bits}-in-a-{name}", data, code=1002)
    for bits in range(1, 8):
        frames = (text(message()), frame(TEXT, message(), rsv=bits << 4), frame(PING, b""))
        whole = b"".join(frames)
        for number, how, segments in (
            (2, "behind-a-good-text", (whole,)), (3, "a-segment-each", frames), (4, "in-octets", octets(whole)),
        ):  # fmt: skip
            where = f"framing-{f'3.{number}' if number == bits else '3'}-rsv-{bits}-{how}"
            yield refused(where, *segments, code=1002, hears=("pong",))
        piece = frame(TEXT, b"{", fin=False) + frame(CONTINUATION, b"}", rsv=bits << 4)
        yield refused(f"framing-3-rsv-{bits}-in-a-continuation", piece, code=1002)


def _reserved_opcodes() -> Iterator[Case]:
    for base, opcodes in (("4.1", RESERVED_DATA), ("4.2", RESERVED_CONTROL)):
        for number, opcode in enumerate(opcodes, 1):
            where = f"framing-{base}.{number}-opcode-{opcode}"
            yield refused(where, frame(opcode), code=1002)
            yield refused(f"{where}-with-a-payload", frame(opcode, b"reserved"), code=1002)
            yield refused(f"{where}-not-final", frame(opcode, b"", fin=False), code=1002)
            yield refused(f"{where}-before-hello", frame(opcode, b""), code=1002, hello=False)
            behind = text(message()) + frame(opcode, b"reserved") + frame(PING, b"")
            yield refused(f"{where}-behind-a-good-text", behind, code=1002, hears=("pong",))
            yield refused(f"{where}-in-octets", *octets(behind), code=1002, hears=("pong",))
