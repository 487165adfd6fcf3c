"""Pings and pongs (Autobahn 2)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.harness.conformance.case import (
    SYNCED,
    Case,
    case,
    in_segments,
    message,
    octets,
    pong,
    refused,
    text,
)  # fmt: skip
from tests.harness.hostile.frames import PING, PONG, frame

SIZES = (0, 1, 2, 13, 64, 123, 124, 125)
NOT_TEXT = bytes((0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF))


def cases() -> Iterator[Case]:
    """Yield the cases of this family."""
    numbers = {0: "2.1", 13: "2.2", 125: "2.4"}
    for size in SIZES:
        payload = b"p" * size
        for hello, where in ((True, ""), (False, "-before-hello")):
            yield case(
                f"control-{numbers.get(size, '2')}-ping-of-{size}{where}",
                frame(PING, payload),
                hears=(pong(payload),),
                hello=hello,
            )
        yield case(
            f"control-2-ping-of-{size}-in-octets", *octets(frame(PING, payload)), hears=(pong(payload),)
        )
        number = "2.7" if size == 0 else "2.8"
        yield case(f"control-{number}-unsolicited-pong-of-{size}", frame(PONG, payload))
        behind = frame(PONG, payload) + frame(PING, b"then")
        yield case(f"control-2.9-unsolicited-pong-of-{size}-and-a-ping", behind, hears=(pong(b"then"),))
    yield case("control-2.3-ping-that-is-no-text", frame(PING, NOT_TEXT), hears=(pong(NOT_TEXT),))
    octet_wise = frame(PING, b"\xfe" * 125)
    yield case("control-2.6-ping-of-125-in-octets", *octets(octet_wise), hears=(pong(b"\xfe" * 125),))
    for at in range(1, 9):
        halves = in_segments(frame(PING, b"cut"), at)
        yield case(f"control-2-ping-cut-at-{at}", *halves, hears=(SYNCED, pong(b"cut")))
        halves = in_segments(frame(PONG, b"cut"), at)
        yield case(f"control-2-pong-cut-at-{at}", *halves, hears=(SYNCED,))
    yield from _many()
    yield from _in_order()
    yield from _wrong()


def _many() -> Iterator[Case]:
    payloads = [b"payload-%d" % number for number in range(10)]
    pings = b"".join(frame(PING, payload) for payload in payloads)
    answers = tuple(pong(payload) for payload in payloads)
    yield case("control-2.10-ten-pings", pings, hears=answers)
    yield case("control-2.11-ten-pings-in-octets", *octets(pings), hears=answers)
    yield case(
        "control-2-ten-pings-in-ten-segments", *(frame(PING, each) for each in payloads), hears=answers
    )


def _in_order() -> Iterator[Case]:
    """Yield cases in which several frames share a segment: the answers keep their order."""
    ping, op = frame(PING, b"x"), text(message())
    for name, data, hears in (
        ("op-ping", op + ping, ("pong", pong(b"x"))),
        ("ping-op", ping + op, (pong(b"x"), "pong")),
        ("op-ping-op", op + ping + op, ("pong", pong(b"x"), "pong")),
        ("ping-op-ping", ping + op + ping, (pong(b"x"), "pong", pong(b"x"))),
        ("op-op-ping-ping", op + op + ping + ping, ("pong", "pong", pong(b"x"), pong(b"x"))),
    ):
        yield case(f"control-order-of-{name}", data, hears=hears)
        yield case(f"control-order-of-{name}-in-octets", *octets(data), hears=hears)


def _wrong() -> Iterator[Case]:
    for name, opcode in (("ping", PING), ("pong", PONG)):
        for size in (126, 127, 65_535, 65_536):
            data = frame(opcode, b"\xfe" * size)
            number = "2.5-" if (name, size) == ("ping", 126) else ""
            yield refused(f"control-{number}{name}-of-{size}", data, code=1002)
            yield refused(f"control-{name}-of-{size}-only-told", data[:14], code=1002)
        for width in (2, 8):
            short = frame(opcode, b"xx", width=width)
            yield refused(f"control-{name}-of-2-told-in-{width}-bytes", short, code=1002)
