"""A hostile connection as data: what is sent, and how it must end; and the scenarios by name.

A scenario is a function of a random generator and a token; its name is the fault. Its result depends
only on these, so that the seed repeats a failure.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from tests.harness.hostile.frames import Answer, text

BROKEN = frozenset({1002})  # the code of those who break RFC 6455
REFUSED = frozenset({4400})  # and of those who break notifier.v1


class Leave(Enum):
    """How the peer disconnects."""

    CLOSE = auto()  # a close frame, then the end of the stream
    HALF = auto()  # the end of the stream, and it reads on
    CUT = auto()  # a reset in the middle


@dataclass(frozen=True)
class Session:
    """A hostile connection.

    Attributes:
        sends: what is written, one after the other.
        ends: the expected close codes; None among them: no close frame. Empty: any but 1011, as nobody
            outside may make the server fail.
        leave: how the peer disconnects after its last write, unless the server closes.
        upgrade: the request that it begins with; None: a valid one.
        op: what the peer waits for before it disconnects.
    """

    sends: tuple[bytes, ...] = ()
    ends: frozenset[int | None] = frozenset()
    leave: Leave = Leave.CLOSE
    upgrade: bytes | None = None
    op: str | None = None

    @property
    def waits(self) -> bool:
        """Whether the server closes."""
        return bool(self.ends) and self.ends.isdisjoint({1000, None})

    def judge(self, answer: Answer) -> str | None:
        """Return what is wrong with the server's answer, if anything."""
        if answer.wrong:
            return "; ".join(answer.wrong)
        if answer.status is not None and answer.status >= 500:
            return f"answered with {answer.status}"
        if answer.status != 101 and self.upgrade is None and self.leave is not Leave.CUT:
            return f"the upgrade was answered with {answer.status}"
        if answer.code == 1011 or (self.ends and answer.code not in self.ends and answer.status == 101):
            return f"closed with {answer.code}" if self.waits or self.leave is not Leave.CUT else None
        return None


Scenario = Callable[[random.Random, str], Session]
SCENARIOS: dict[str, Scenario] = {}


def scenario(make: Callable[[random.Random, str], Session]) -> Scenario:
    """Add a function to the scenarios, by its name."""
    SCENARIOS[make.__name__] = make
    return make


def drawn(seed: str, token: str) -> tuple[str, Session]:
    """Return a random scenario and its session; every scenario is equally likely."""
    rng = random.Random(seed)
    name = rng.choice(sorted(SCENARIOS))
    return name, SCENARIOS[name](rng, token)


def upgrade(**changes: str | None) -> bytes:
    """Return a request for the upgrade; `changes` replaces headers (`_` for `-`), None leaves one out."""
    headers: dict[str, str | None] = {
        "Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": "notifier.v1",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }  # fmt: skip
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join(["GET /ws HTTP/1.1", *lines, "", ""]).encode("latin-1", "replace")


def hello(token: str, **fields: object) -> bytes:
    """Return a valid hello; `fields` override."""
    return text({"op": "hello", "token": token, "after": None, **fields})


def maybe_hello(rng: random.Random, token: str) -> tuple[bytes, ...]:
    """Return a hello or nothing, so that a fault comes before or after it."""
    return (hello(token),) if rng.random() < 0.5 else ()


def any_leave(rng: random.Random) -> Leave:
    """Return a random way to disconnect."""
    return rng.choice(list(Leave))
