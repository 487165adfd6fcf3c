"""Text that is UTF-8 and text that is not, whole and cut at every place (Autobahn 6).

The sequences follow Markus Kuhn's decoder stress test, as Autobahn's do. A valid one is sent twice: inside a
string of an op, which is answered, and alone, which is not JSON (4400) but must not be 1007.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from tests.harness.conformance.case import (
    SYNCED,
    Case,
    case,
    in_frames,
    in_segments,
    octets,
    refused,
    saying,
    text,
)  # fmt: skip
from tests.harness.hostile.frames import CONTINUATION, TEXT, frame

GREEK = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()  # its second letter takes three bytes
SAY = len(saying(b"")) - 2  # where the string of `saying` begins


def _scalar(value: int) -> bytes:
    return chr(value).encode("utf-8", "surrogatepass")


def _longer(value: int, size: int) -> bytes:
    """Encode `value` in `size` bytes, as UTF-8 would if that many were allowed."""
    tail = [0x80 | (value >> 6 * place & 0x3F) for place in reversed(range(size - 1))]
    lead = (0xFF << (8 - size) & 0xFF) | value >> 6 * (size - 1)
    return bytes([lead, *tail])


def valid() -> dict[str, bytes]:
    """Return Autobahn's valid sequences by their numbers."""
    found: dict[str, bytes] = {}

    def add(section: str, sequences: list[bytes], numbers: list[int] | None = None) -> None:
        for number, sequence in zip(numbers or range(1, len(sequences) + 1), sequences, strict=True):
            found[f"{section}.{number}"] = sequence

    found["6.2.1"] = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!".encode()
    add("6.5", [f"hello{chr(value)}world".encode() for value in (0x24, 0xA2, 0x20AC, 0x24B62)] + [GREEK])
    add("6.6", [GREEK[:end] for end in (2, 5, 7, 9, 11)], [2, 5, 7, 9, 11])
    add("6.7", [_scalar(value) for value in (0x00, 0x80, 0x800, 0x10000)])
    add("6.9", [_scalar(value) for value in (0x7F, 0x7FF, 0xFFFF, 0x10FFFF)])
    add("6.11", [_scalar(value) for value in (0xD7FF, 0xE000, 0xFFFD, 0x10FFFF)])
    nonchars = [plane << 16 | low for plane in range(17) for low in (0xFFFE, 0xFFFF)]
    add("6.22", [_scalar(value) for value in nonchars])
    add("6.23", [_scalar(value) for value in range(0xFFF9, 0x10000)])
    found["6.x-byte-order-mark"] = _scalar(0xFEFF)
    return found


def invalid() -> dict[str, bytes]:
    """Return Autobahn's invalid sequences by their numbers."""
    found: dict[str, bytes] = {}

    def add(section: str, sequences: list[bytes], numbers: list[int] | None = None) -> None:
        for number, sequence in zip(numbers or range(1, len(sequences) + 1), sequences, strict=True):
            found[f"{section}.{number}"] = sequence

    found["6.3.1"] = GREEK + _scalar(0xD800) + b"edited"
    found["6.4.1"] = GREEK + _longer(0x110000, 4) + b"edited"
    add("6.6", [GREEK[:end] for end in (1, 3, 4, 6, 8, 10)], [1, 3, 4, 6, 8, 10])
    add("6.8", [_longer(1 << 21, 5), _longer(1 << 26, 6)])
    add("6.10", [_longer((1 << 21) - 1, 4), _longer((1 << 26) - 1, 5), _longer((1 << 31) - 1, 6)])
    add("6.11", [_longer(0x110000, 4)], [5])
    alternating = bytes((0x80, 0xBF)) * 3
    add("6.12", [b"\x80", b"\xbf", *(alternating[:end] for end in range(2, 7)), bytes(range(0x80, 0xC0))])
    leads = ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))
    add("6.13", [b"".join(bytes((lead, 0x20)) for lead in range(low, high + 1)) for low, high in leads])
    lowest = [_longer(0, size)[:-1] for size in range(2, 7)]
    highest = [_longer((1 << bits) - 1, size)[:-1] for size, bits in enumerate((11, 16, 21, 26, 31), 2)]
    add("6.14", lowest + highest)
    add("6.15", [b"".join(lowest + highest)])
    add("6.16", [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"])
    add("6.17", [_longer(ord("/"), size) for size in range(2, 7)])
    add("6.18", [_longer((1 << bits) - 1, size) for size, bits in enumerate((7, 11, 16, 21, 26), 2)])
    add("6.19", [_longer(0, size) for size in range(2, 7)])
    single = (0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF)
    add("6.20", [_scalar(value) for value in single])
    pairs = [(high, low) for high in (0xD800, 0xDB7F, 0xDB80, 0xDBFF) for low in (0xDC00, 0xDFFF)]
    add("6.21", [_scalar(high) + _scalar(low) for high, low in pairs])
    return found


def fails_at(data: bytes) -> int | None:
    """Return the length of the shortest prefix that no text begins with; None: data could go on."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(len(data)):
        try:
            decoder.decode(data[at : at + 1])
        except UnicodeDecodeError:
            return at + 1
    return None


def cases() -> Iterator[Case]:
    """Yield the cases of this family."""
    yield from _empty()
    for number, sequence in valid().items():
        yield from _valid(f"utf8-{number}", sequence)
    for number, sequence in invalid().items():
        yield from _invalid(f"utf8-{number}", sequence)


def _empty() -> Iterator[Case]:
    yield refused("utf8-6.1.1-empty-text", text(b""), code=4400, deviates="a text that is not an op")
    nothing = in_frames(b"", 0, 0)
    yield refused("utf8-6.1.2-three-empty-frames", nothing, code=4400, deviates="a text that is not an op")
    payload = saying(GREEK)
    yield case("utf8-6.1.3-empty-frames-around-one", in_frames(payload, 0, len(payload)), hears=("pong",))


def _valid(where: str, sequence: bytes) -> Iterator[Case]:
    yield refused(f"{where}-alone", text(sequence), code=4400, deviates="a text that is not an op")
    if sequence == b"\x00":
        return  # JSON has no control characters in its strings
    payload = saying(sequence)
    data = text(payload)
    yield case(f"{where}-in-an-op", data, hears=("pong",))
    edges = range(SAY, SAY + len(sequence) + 1)
    yield case(f"{where}-every-byte-a-frame", in_frames(payload, *edges), hears=("pong",))
    head = len(data) - len(payload)
    for at in edges[1:-1]:
        cut = at - SAY
        yield case(f"{where}-two-frames-cut-at-{cut}", in_frames(payload, at), hears=("pong",))
        halves = in_segments(data, head + at)
        yield case(f"{where}-two-segments-cut-at-{cut}", *halves, hears=(SYNCED, "pong"))


def _invalid(where: str, sequence: bytes) -> Iterator[Case]:
    yield refused(f"{where}-alone", text(sequence), code=1007)
    payload = saying(sequence)
    yield refused(f"{where}-in-an-op", text(payload), code=1007)
    yield refused(f"{where}-in-an-op-in-octets", *octets(text(payload)), code=1007)
    bad = fails_at(payload)
    assert bad is not None, "the quote ends a sequence that is cut short"
    # At once: neither the rest of the frame nor the end of the message is waited for.
    first = text(payload)[: bad - len(payload)]
    yield refused(f"{where}-up-to-its-first-wrong-byte", first, code=1007)
    unfinished = frame(TEXT, payload[:bad], fin=False)
    yield refused(f"{where}-in-a-frame-that-is-not-the-last", unfinished, code=1007)
    for at in range(SAY + 1, bad):
        cut = at - SAY
        frames = frame(TEXT, payload[:at], fin=False) + frame(CONTINUATION, payload[at:bad], fin=False)
        yield refused(f"{where}-two-frames-cut-at-{cut}", frames, code=1007)
        halves = in_segments(first, len(first) - bad + at)
        yield refused(f"{where}-two-segments-cut-at-{cut}", *halves, code=1007, hears=(SYNCED,))
