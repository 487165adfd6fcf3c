"""Violations of `notifier.v1` inside valid frames: text that is not JSON, wrong fields, a wrong order."""

from __future__ import annotations

import json
import random

from tests.harness.hostile.frames import PING, PONG, TEXT, close, frame, text
from tests.harness.hostile.session import (
    REFUSED,
    SCENARIOS,
    Leave,
    Session,
    any_leave,
    hello,
    maybe_hello,
    scenario,
)  # fmt: skip


@scenario
def invalid_utf_8(rng: random.Random, token: str) -> Session:
    bad = rng.choice([b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80" * 50])
    return Session((*maybe_hello(rng, token), frame(TEXT, b'{"op":"' + bad)), frozenset({1007}))


NO_JSON = [
    "[" * 60_000, "[" * 5_000 + "]" * 5_000, '{"a":' * 10_000 + "1" + "}" * 10_000, "", " ", "\x00", "{",
    '{"op":"ping"}x', '{"op":"ping",}', "{'op':'ping'}", '{"op":"\ud800"}', '{"op":"ping\\ud800"}', "NaN",
    '{"op":NaN}', '{"op":"ack","seq":1e400}', '{"op":"ack","seq":-Infinity}', '"ping"', "null", "7", "[]",
    '["ping"]', "true", '{"op":"ack","seq":01}', '{"op":"ack","seq":0x1}', "\ufeff{}", '{"op":"pi\x00ng"}',
]  # fmt: skip


@scenario
def something_else_than_a_json_object(rng: random.Random, token: str) -> Session:
    wrong = rng.choice(NO_JSON)
    ends = frozenset({1007}) if "\ud800" in wrong else REFUSED
    return Session((*maybe_hello(rng, token), text(wrong)), ends)


WRONG_VALUES = [
    "-1", "1.5", "1e3", "1.0", '"1"', "true", "[]", "{}", "null", str(2**63), str(2**64), str(2**70),
    "-" + "9" * 5_000, "1e308", "5e-324", '"\\u0000"',
]  # fmt: skip


@scenario
def a_field_of_a_wrong_type(rng: random.Random, token: str) -> Session:
    wrong = rng.choice(WRONG_VALUES)
    word = json.dumps(token)
    if rng.random() < 0.4:
        frames = [
            f'{{"op":"hello","token":{word},"after":{wrong}}}',
            f'{{"op":"hello","token":{word},"device":{wrong}}}',
            f'{{"op":{wrong},"token":{word}}}',
        ]
        # `"device": "1"` and `"after": null` are valid; a control character in a device is not.
        first = rng.choice(frames[:1] if wrong == '"1"' else frames[2:] if wrong == "null" else frames)
        return Session((text(first),), REFUSED)
    frames = [
        f'{{"op":"ack","seq":{wrong}}}',
        f'{{"op":"read","through":{wrong}}}',
        f'{{"op":"auth","token":{wrong}}}',
        *(f'{{"op":"{op}","ids":{wrong}}}' for op in ("read", "unread", "archive")),
        f'{{"op":"read","ids":[{wrong}]}}',
        f'{{"op":"archive","ids":[{",".join([wrong] * 9)}]}}',
    ]
    # Any text has the right type for a token.
    ends = frozenset({4400, 4401}) if wrong.startswith('"') else REFUSED
    return Session((hello(token), text(rng.choice(frames))), ends)


@scenario
def a_frame_with_doubled_keys(rng: random.Random, token: str) -> Session:
    many = ",".join('"op":"ack"' for _ in range(rng.randint(1, 3_000)))
    ends = frozenset({1000})
    return Session((hello(token), text(f'{{{many},"seq":9,"op":"ping","seq":-1}}')), ends, op="pong")


@scenario
def huge_numbers(rng: random.Random, token: str) -> Session:
    seq = rng.choice([2**31, 2**53, 2**62, 2**63 - 1])
    frames = [text({"op": "ack", "seq": seq}), text({"op": "read", "through": seq}), hello(token, after=seq)]
    chosen = rng.randrange(3)
    sends = (frames[2],) if chosen == 2 else (hello(token), frames[chosen], text({"op": "ping"}))
    return Session(sends, frozenset({1000}), op="reset" if chosen == 2 else "pong")


@scenario
def something_before_hello(rng: random.Random, _token: str) -> Session:
    first = rng.choice([
        {"op": "ack", "seq": 0}, {"op": "ping"}, {"op": "read", "through": 0}, {"op": "auth", "token": "x"},
        {"op": "welcome"}, {"op": "event", "seq": 1},
    ])  # fmt: skip
    return Session((text(first),), REFUSED)


@scenario
def two_hellos(rng: random.Random, token: str) -> Session:
    return Session((hello(token), hello(token, after=rng.choice([None, 0, 7]))), REFUSED)


@scenario
def a_wrong_token(rng: random.Random, token: str) -> Session:
    head, body, signature = token.split(".")
    wrong = rng.choice([
        "", ".", "..", "a.b.c", f"{head}.{body}.", f"{head}.{body}.{signature[::-1]}", f".{body}.{signature}",
        "=" * 8_000, "é", "\x00", f"{body}.{head}.{signature}",
    ])  # fmt: skip
    sends = (hello(wrong),) if rng.random() < 0.5 else (hello(token), text({"op": "auth", "token": wrong}))
    return Session(sends, frozenset({4401}))


@scenario
def frames_behind_the_close(rng: random.Random, token: str) -> Session:
    behind = rng.choice([hello(token), text({"op": "ping"}), close(), rng.randbytes(40)])
    return Session((*maybe_hello(rng, token), close() + behind * 5), frozenset({1000}))


@scenario
def a_frame_and_then_silence(rng: random.Random, token: str) -> Session:
    return Session((hello(token), text({"op": "ping"})), frozenset({None}), Leave.HALF, op="pong")


@scenario
def nothing_at_all(rng: random.Random, _token: str) -> Session:
    return Session((), frozenset({1000, None}), rng.choice([Leave.CLOSE, Leave.CUT, Leave.HALF]))


@scenario
def too_many_frames(rng: random.Random, token: str) -> Session:
    many = rng.choice([text({"op": "ping"}), text({"op": "ack", "seq": 0}), text({"op": "ack", "seq": 7})])
    return Session((hello(token), many * rng.randint(200, 3_000)), frozenset({4429}))


@scenario
def too_many_control_frames(rng: random.Random, token: str) -> Session:
    many = frame(rng.choice([PING, PONG]), b"x" * rng.choice([0, 1, 125]))
    return Session((*maybe_hello(rng, token), many * rng.randint(200, 3_000)), frozenset({4429}))


@scenario
def hostile_frames_in_any_order(rng: random.Random, token: str) -> Session:
    sends: list[bytes] = []
    for _ in range(rng.randint(2, 8)):
        make = SCENARIOS[rng.choice([name for name in SCENARIOS if name != "hostile_frames_in_any_order"])]
        sends += make(rng, token).sends
    return Session(tuple(sends), leave=any_leave(rng))
