"""Sizes and rates (Autobahn 9 and 10), and compression that is never agreed on (12 and 13)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from tests.harness.conformance.case import (
    MAX_MESSAGE,
    Case,
    binary,
    case,
    in_frames,
    message,
    refused,
    text,
)  # fmt: skip
from tests.harness.hostile.frames import BINARY, RSV1, TEXT, frame

KIB = 1024


def cases() -> Iterator[Case]:
    """Yield the cases of this family."""
    yield case("limits-9.1.1-text-of-64-kib", text(message(MAX_MESSAGE)), hears=("pong",))
    for number, size in ((2, 256), (3, 1_024)):
        yield refused(
            f"limits-9.1.{number}-text-of-{size}-kib",
            text(b" " * size * KIB),
            code=1009,
            deviates="a message over 64 KiB",
        )
        yield refused(f"limits-9.2.{number}-binary-of-{size}-kib", binary(b"\x00" * size * KIB), code=1009,
                      deviates="a message over 64 KiB")  # fmt: skip
    yield refused(
        "limits-text-of-65537", text(message(MAX_MESSAGE + 1)), code=1009, deviates="a message over 64 KiB"
    )
    yield refused("limits-text-of-65537-before-hello", text(message(MAX_MESSAGE + 1)), code=1009, hello=False,
                  deviates="a message over 64 KiB")  # fmt: skip
    for name, opcode in (("9.3-text", TEXT), ("9.4-binary", BINARY)):
        data = in_frames(b" " * MAX_MESSAGE, *range(64, MAX_MESSAGE, 64), opcode=opcode)
        yield refused(f"limits-{name}-in-1024-frames-of-64", data, code=4429, deviates="many small frames")
    for chop in (128, 256, 512, 1_024, 2_048):
        whole = text(message(MAX_MESSAGE))
        segments = [whole[at : at + chop] for at in range(0, len(whole), chop)]
        yield case(f"limits-9.5-text-of-64-kib-in-segments-of-{chop}", *segments, hears=("pong",))
    for size in (16, 64, 256, 1_024, 4_096, 16_384, 65_536):
        yield case(f"limits-9.7-twenty-texts-of-{size}", text(message(size)) * 20, hears=("pong",) * 20)
    data = in_frames(message(MAX_MESSAGE), *range(1_300, MAX_MESSAGE, 1_300))
    yield case("limits-10.1.1-text-of-64-kib-in-frames-of-1300", data, hears=("pong",))
    yield from _compressed()


def _compressed() -> Iterator[Case]:
    packed = zlib.compress(message())[2:-4]
    for number, size in ((12, 16), (13, 4_096)):
        squeezed = zlib.compress(message(size))[2:-4]
        data = frame(TEXT, squeezed, rsv=RSV1)
        yield refused(
            f"limits-{number}-compressed-text-of-{size}", data, code=1002, deviates="permessage-deflate"
        )
    data = frame(BINARY, packed, rsv=RSV1)
    yield refused("limits-12-compressed-binary", data, code=1002, deviates="permessage-deflate")
