"""Messages in several frames (Autobahn 5)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.harness.conformance.case import (
    MAX_MESSAGE,
    Case,
    case,
    in_frames,
    message,
    octets,
    pieces,
    pong,
    refused,
    text,
)  # fmt: skip
from tests.harness.hostile.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

PINGED = frame(PING, b"between")
PONGED = pong(b"between")


def cases() -> Iterator[Case]:
    """Yield the cases of this family."""
    yield from _control_frames_in_pieces()
    yield from _good()
    yield from _interleaved()
    yield from _continuation_of_nothing()
    yield from _begun_before_the_end()
    yield from _sizes()


def _control_frames_in_pieces() -> Iterator[Case]:
    for number, (name, opcode) in enumerate((("ping", PING), ("pong", PONG), ("close", CLOSE)), 1):
        where = f"fragments-5.{number}" if number < 3 else "fragments"
        payload = b"\x03\xe8" if opcode == CLOSE else b"piece"
        first = frame(opcode, payload, fin=False)
        whole = first + frame(CONTINUATION, b"")
        yield refused(f"{where}-{name}-in-two-frames", whole, code=1002)
        yield refused(f"{where}-first-frame-of-a-{name}", first, code=1002)
        yield refused(f"{where}-empty-first-frame-of-a-{name}", frame(opcode, fin=False), code=1002)
        yield refused(f"{where}-{name}-in-two-frames-in-octets", *octets(whole), code=1002)
        inside = frame(TEXT, b"{", fin=False) + first
        yield refused(f"{where}-first-frame-of-a-{name}-inside-a-message", inside, code=1002)


def _good() -> Iterator[Case]:
    payload = message()
    for at in range(len(payload) + 1):
        data = in_frames(payload, at)
        yield case(f"fragments-5.3-two-frames-cut-at-{at}", data, hears=("pong",))
        yield case(f"fragments-5.5-two-frames-cut-at-{at}-in-octets", *octets(data), hears=("pong",))
        each = pieces(payload, at)
        yield case(f"fragments-5.4-two-frames-cut-at-{at}-a-segment-each", *each, hears=("pong",))
    every = in_frames(payload, *range(1, len(payload)))
    yield case("fragments-5-every-byte-a-frame", every, hears=("pong",))
    yield case("fragments-5-every-byte-a-frame-in-octets", *octets(every), hears=("pong",))
    for count in (1, 2, 10):
        empty = frame(CONTINUATION, b"", fin=False) * count
        data = frame(TEXT, b"", fin=False) + empty + frame(CONTINUATION, payload)
        yield case(f"fragments-{count}-empty-frames-before-the-last", data, hears=("pong",))
        data = frame(TEXT, payload, fin=False) + empty + frame(CONTINUATION, b"")
        yield case(f"fragments-{count}-empty-frames-behind-the-first", data, hears=("pong",))
    data = in_frames(payload, 3) + in_frames(payload, 9)
    yield case("fragments-two-messages", data, hears=("pong", "pong"))
    data = in_frames(payload, 3) + text(payload) + in_frames(payload, 5, 6)
    yield case("fragments-a-whole-message-between-two", data, hears=("pong", "pong", "pong"))
    data = in_frames(b"\xfe\xff", 1, opcode=BINARY)
    yield refused("fragments-binary-in-two-frames", data, code=4400, deviates="a binary message")


def _interleaved() -> Iterator[Case]:
    payload = message()
    for at in range(len(payload) + 1):
        data = in_frames(payload, at, between=PINGED)
        yield case(f"fragments-5.6-ping-between-cut-at-{at}", data, hears=(PONGED, "pong"))
    data = in_frames(payload, 5, between=PINGED)
    yield case("fragments-5.8-ping-between-in-octets", *octets(data), hears=(PONGED, "pong"))
    parts = [frame(TEXT, payload[:5], fin=False), PINGED, frame(CONTINUATION, payload[5:])]
    yield case("fragments-5.7-ping-between-a-segment-each", *parts, hears=(PONGED, "pong"))
    five = in_frames(payload, 2, 4, 6, 8, between=PINGED)
    yield case("fragments-5.19-five-frames-with-pings-between", five, hears=(PONGED,) * 4 + ("pong",))
    yield case("fragments-5.20-the-same-in-octets", *octets(five), hears=(PONGED,) * 4 + ("pong",))
    unsolicited = in_frames(payload, 5, between=frame(PONG, b"x"))
    yield case("fragments-pong-between", unsolicited, hears=("pong",))
    inside = frame(TEXT, payload[:5], fin=False)
    yield case("fragments-close-inside-a-message", inside)


def _continuation_of_nothing() -> Iterator[Case]:
    numbers = iter(("5.9", "5.10", "5.11", "5.12", "5.13", "5.14"))
    op = text(message())
    for fin in (True, False):
        lone = frame(CONTINUATION, b"non-continuation payload", fin=fin)
        last = "final" if fin else "not-final"
        yield refused(f"fragments-{next(numbers)}-continuation-of-nothing-{last}", lone + op, code=1002)
        yield refused(f"fragments-{next(numbers)}-a-segment-each-{last}", lone, op, code=1002)
        yield refused(f"fragments-{next(numbers)}-in-octets-{last}", *octets(lone), code=1002)
        yield refused(f"fragments-empty-continuation-{last}", frame(CONTINUATION, b"", fin=fin), code=1002)
        yield refused(f"fragments-continuation-before-hello-{last}", lone, code=1002, hello=False)
        behind = in_frames(message(), 5) + lone
        yield refused(f"fragments-5.15-behind-a-whole-message-{last}", behind, code=1002, hears=("pong",))
        behind = op + lone
        yield refused(f"fragments-behind-a-single-frame-{last}", behind, code=1002, hears=("pong",))
        behind = PINGED + lone
        yield refused(f"fragments-behind-a-ping-{last}", behind, code=1002, hears=(PONGED,))
    twice = frame(CONTINUATION, b"x", fin=False) + frame(TEXT, b"y", fin=False) + frame(CONTINUATION, b"z")
    yield refused("fragments-5.16-continuation-text-continuation", twice * 2, code=1002)
    twice = frame(CONTINUATION, b"x") + frame(TEXT, b"y", fin=False) + frame(CONTINUATION, b"z")
    yield refused("fragments-5.17-final-continuation-text-continuation", twice * 2, code=1002)


def _begun_before_the_end() -> Iterator[Case]:
    for first_name, first in (("text", TEXT), ("binary", BINARY)):
        begun = frame(first, b"{", fin=False)
        for name, opcode in (("text", TEXT), ("binary", BINARY)):
            for fin in (True, False):
                second = frame(opcode, message(), fin=fin)
                number = "5.18-" if (first, opcode, fin) == (TEXT, TEXT, True) else ""
                last = "final" if fin else "not-final"
                where = f"fragments-{number}{name}-inside-a-{first_name}-{last}"
                yield refused(where, begun + second, code=1002)
                pinged = begun + PINGED + second
                yield refused(f"{where}-behind-a-ping", pinged, code=1002, hears=(PONGED,))


def _sizes() -> Iterator[Case]:
    whole = message(MAX_MESSAGE)
    for piece in (1_000, 1_024, 4_096, 16_384, 65_535):
        data = in_frames(whole, *range(piece, MAX_MESSAGE, piece))
        yield case(f"fragments-65536-in-frames-of-{piece}", data, hears=("pong",))
    for piece in (1_024, 4_096, 65_536):
        data = in_frames(whole + b" ", *range(piece, MAX_MESSAGE + 1, piece))
        yield refused(
            f"fragments-65537-in-frames-of-{piece}", data, code=1009, deviates="a message over 64 KiB"
        )
    begun = in_frames(b" " * (MAX_MESSAGE + 1) + b"x", MAX_MESSAGE, MAX_MESSAGE + 1)
    unfinished = begun[: -len(frame(CONTINUATION, b"x"))]
    yield refused("fragments-65537-without-an-end", unfinished, code=1009, deviates="a message over 64 KiB")
