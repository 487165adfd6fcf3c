"""Close frames: codes, reasons, lengths, and what shares a segment with them (Autobahn 7)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.harness.conformance.case import (
    SYNC,
    SYNCED,
    Case,
    binary,
    case,
    in_frames,
    in_segments,
    message,
    octets,
    pieces,
    pong,
    refused,
    text,
)  # fmt: skip
from tests.harness.hostile.frames import CLOSE, PING, TEXT, close, frame

GOOD = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)  # 7.7
REGISTERED_LATER = (1012, 1013)  # by the IANA, after RFC 6455; 1014 too
BAD = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)  # 7.9
BAD_TOO = (1, 1015, 1999, 5000, 32_768, 65_535)  # 7.13 and their neighbours
NOT_TEXT = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"


def echoed(id: str, *segments: bytes, code: int = 1000, hello: bool = True) -> Case:
    """Return a case whose close frame is answered with `code`."""
    return Case(id, segments, (f"close:{code}",), hello)


def cases() -> Iterator[Case]:
    """Yield the cases of this family."""
    yield from _codes()
    yield from _lengths()
    yield from _reasons()
    yield from _behind_the_close()
    yield from _before_the_close()


def _codes() -> Iterator[Case]:
    for number, code in enumerate(GOOD, 1):
        yield echoed(f"close-7.7.{number}-code-{code}", close(code), code=code)
        yield echoed(f"close-7.7.{number}-code-{code}-before-hello", close(code), code=code, hello=False)
        yield echoed(f"close-7.7.{number}-code-{code}-with-a-reason", close(code, b"bye"), code=code)
        yield echoed(f"close-7.7.{number}-code-{code}-in-octets", *octets(close(code)), code=code)
    for code in REGISTERED_LATER:
        yield echoed(f"close-7.7-code-{code}", close(code), code=code)
    yield refused("close-7.7-code-1014", close(1014), code=1002, deviates="the close code 1014")
    for number, code in enumerate(BAD, 1):
        yield refused(f"close-7.9.{number}-code-{code}", close(code), code=1002)
        yield refused(f"close-7.9.{number}-code-{code}-before-hello", close(code), code=1002, hello=False)
        yield refused(f"close-7.9.{number}-code-{code}-with-a-reason", close(code, b"bye"), code=1002)
    for code in BAD_TOO:
        yield refused(f"close-7.13-code-{code}", close(code), code=1002)


def _lengths() -> Iterator[Case]:
    yield Case("close-7.3.1-empty", (frame(CLOSE),), ("close:1005",))
    yield Case("close-7.3.1-empty-before-hello", (frame(CLOSE),), ("close:1005",), hello=False)
    for byte in (b"\x00", b"\x03", b"a", b"\xff"):
        yield refused(f"close-7.3.2-one-byte-{byte.hex()}", frame(CLOSE, byte), code=1002)
    yield echoed("close-7.3.3-a-code-alone", close(1000))
    for size in (1, 2, 122, 123):
        number = "7.3.5" if size == 123 else "7.3.4"
        yield echoed(f"close-{number}-reason-of-{size}", close(1000, b"*" * size))
    for size in (124, 125, 126, 65_534):
        yield refused(f"close-7.3.6-reason-of-{size}", close(1000, b"*" * size), code=1002)
    for at in range(1, 13):
        halves = in_segments(close(1000, b"reason"), at)
        yield Case(f"close-7.3.4-cut-at-{at}", halves, (SYNCED, "close:1000"))


def _reasons() -> Iterator[Case]:
    yield refused("close-7.5.1-reason-that-is-no-text", close(1000, NOT_TEXT), code=1007)
    for reason in (
        b"\xff",
        b"\x80",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"cut\xe2\x82",
        b"\xf0\x9f",
    ):
        yield refused(f"close-7.5-reason-{reason.hex()}", close(1000, reason), code=1007)
    for reason in ("κόσμε", "€" * 41, "😀" * 30, "\x00", "\uffff", "\U0010ffff"):
        data = close(4000, reason.encode())
        yield echoed(f"close-7.5-reason-{reason[:5].encode().hex()}", data, code=4000)


def _behind_the_close() -> Iterator[Case]:
    """Yield cases in which data follows a close frame: it is ignored, and the close is answered."""
    for name, behind in (
        ("7.1.2-a-second-close", close()), ("7.1.3-a-ping", frame(PING, b"late")),
        ("7.1.4-a-text", text(message())), ("a-close-with-another-code", close(4000)),
        ("a-binary", binary(b"\x00")), ("a-frame-without-a-mask", frame(PING, masked=False)),
        ("a-reserved-opcode", frame(3)), ("no-frames", b"\xff" * 40), ("half-a-frame", text(message())[:3]),
        ("text-that-is-no-utf8", text(b"\xff")), ("4-kib", text(b" " * 4_096)),
        ("64-kib", text(b" " * 65_536)), ("256-kib", text(b" " * 65_536) * 4),
    ):  # fmt: skip
        yield echoed(f"close-{name}-behind", close() + behind)
        yield echoed(f"close-{name}-behind-in-another-segment", close(), behind)
        yield Case(f"close-{name}-behind-a-wrong-frame", (frame(3) + behind,), ("close:1002",))


def _before_the_close() -> Iterator[Case]:
    """Yield cases in which frames precede a close frame in the same segment: they are answered."""
    op = text(message())
    for count in (1, 2, 3, 10):
        yield case(f"close-7.1.1-behind-{count}-ops", op * count, hears=("pong",) * count)
        separate = case(f"close-7.1.1-behind-{count}-ops-in-segments", *[op] * count, hears=("pong",) * count)
        yield separate
    yield case("close-behind-ops-of-20-kib", text(message(5_000)) * 4, hears=("pong",) * 4)
    yield case("close-behind-an-op-of-64-kib", text(message(65_536)) + op, hears=("pong", "pong"))
    big = text(b" " * 2**18) + op + close() + frame(PING)
    yield refused("close-7.1.6-behind-256-kib", big, code=1009, deviates="a message over 64 KiB")
    yield case("close-behind-a-ping", frame(PING, b"p"), hears=(pong(b"p"),))
    yield case("close-behind-an-op-and-a-ping", op + frame(PING, b"p"), hears=("pong", pong(b"p")))
    yield case("close-behind-an-op-in-frames", in_frames(message(), 3, 7), hears=("pong",))
    begun, ended = pieces(message(), 5)
    yield echoed("close-7.1.5-inside-a-message", begun + close() + ended)
    yield case("close-behind-half-a-message", op + frame(TEXT, b"{", fin=False), hears=("pong",))
    whole = op + op + close()
    for at in (1, len(op) - 1, len(op), len(op) + 1, 2 * len(op), 2 * len(op) + 1, len(whole) - 1):
        first, second = whole[:at], whole[at:]
        yield Case(
            f"close-behind-two-ops-cut-at-{at}",
            (SYNC + first, second),
            (SYNCED, "pong", "pong", "close:1000"),
        )
    wrong = op + op + frame(3)
    yield refused("close-of-the-server-behind-two-ops", wrong, code=1002, hears=("pong", "pong"))
    wrong = op + op + text(b"\xff")
    yield refused("close-of-the-server-behind-two-ops-for-text", wrong, code=1007, hears=("pong", "pong"))
    wrong = op + op + text(b"{")
    yield refused("close-of-the-protocol-behind-two-ops", wrong, code=4400, hears=("pong", "pong"))
