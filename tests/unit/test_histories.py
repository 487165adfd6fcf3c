"""The rules of a log and of a session across failovers, with logs that are lost and overtaken at random.

A client is reset once for each failover, holds the entries of the present log, and misses none. `Log` is a
log as the store keeps it: entries, a head, and the base from which the next log continues.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from notifier.core import frames
from notifier.core.effects import Effect, Fetch, Send
from notifier.core.log import Entry, Item, Snapshot, reset_reason
from notifier.core.session import Phase, Principal, Session

USER = "u1"
ROUND = 10_000  # a base is above any head that a log can have had before


@dataclass
class Log:
    """A user's log: entry ids by seq, all unread."""

    entries: dict[int, str] = field(default_factory=dict)
    base: int = 0
    number: int = 0

    @property
    def head(self) -> int:
        return max(self.base, *self.entries, 0)

    def append(self) -> int:
        self.number += 1
        seq = self.head + 1
        self.entries[seq] = f"id-{self.number}"
        return seq

    def fail_over(self, lost: int, base: int) -> None:
        """Promote a replica without the last `lost` entries."""
        for seq in sorted(self.entries)[len(self.entries) - lost :]:
            del self.entries[seq]
        self.base = base

    def entry(self, seq: int) -> Entry:
        return Entry(seq, "alert", self.entries[seq], "system", 1, {"title": "t"}, 0)

    def snapshot(self, after: int | None) -> Snapshot:
        """Return SQL's answer by the rules of `models.store.log`; the window is everything."""
        reset = None if after is None else reset_reason(after, self.head, 0, self.base)
        if after is not None and reset is None:
            log = [self.entry(seq) for seq in sorted(self.entries) if seq > after]
            return Snapshot(self.head, 0, {}, log=log)
        items = [
            Item(seq, "alert", id, "system", 1, {"title": "t"}, None, None)
            for seq, id in sorted(self.entries.items())
        ]
        return Snapshot(self.head, len(items), {}, reset, window=items)


@dataclass
class Client:
    """A client that follows docs/websocket.md, and fails on a gap."""

    seq: int | None = None
    held: list[str] = field(default_factory=list)
    resets: int = 0
    staging: bool = False

    def hears(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._frame(json.loads(effect.frame))

    def _frame(self, frame: dict[str, object]) -> None:
        match frame["op"]:
            case "welcome":
                self.staging = self.seq is None
            case "reset":
                self.resets += 1
                self.held, self.staging = [], True
            case "item":
                self.held.append(str(frame["id"]))
            case "event":
                assert frame["seq"] == (self.seq or 0) + 1, "a gap, or one twice"
                self.seq = int(str(frame["seq"]))
                self.held.append(str(frame["id"]))
            case "live" if self.staging:
                self.seq, self.staging = int(str(frame["seq"])), False
            case "live":
                assert frame["seq"] == self.seq, "not brought up to date"


class Socket:
    """A client's connection. SQL answers at once; events of the broker may be late or lost."""

    def __init__(self, client: Client, log: Log) -> None:
        self.client, self.log = client, log
        self.session = Session(lambda _: Principal(USER, 1e9), 0.0, frames_per_second=1e9)
        self.session.receive(json.dumps({"op": "hello", "token": "t", "after": client.seq}), 0.0)
        self._perform(self.session.joined(log.snapshot(client.seq)))

    def _perform(self, effects: list[Effect]) -> None:
        while effects:
            self.client.hears(effects)
            fetches = [effect for effect in effects if isinstance(effect, Fetch)]
            effects = []
            for fetch in fetches:
                at = self.log.snapshot(fetch.after)
                effects += self.session.joined(at) if at.reset else self.session.fetched(at)

    def brings(self, seq: int, frame: bytes) -> None:
        if self.session.offer(seq, frame):
            self._perform(self.session.take())

    def compares(self) -> None:
        if self.session.heard(self.log.head):
            self._perform(self.session.take())


deeds = st.lists(
    st.sampled_from(["send", "send", "send and bring", "bring late", "compare", "return", "fail over"]),
    max_size=40,
)


@given(deeds=deeds, lost=st.lists(st.integers(0, 5), min_size=40, max_size=40), after_null=st.booleans())
def test_every_client_holds_the_present_log_and_is_reset_once_for_each_failover(
    deeds: list[str], lost: list[int], after_null: bool
) -> None:
    log = Log()
    for _ in range(3):
        log.append()
    stays, returns = Client(), Client(None if after_null else 0)
    sockets = {"stays": Socket(stays, log), "returns": Socket(returns, log)}
    late: list[tuple[int, bytes]] = []
    failovers = 0
    for number, deed in enumerate(deeds):
        match deed:
            case "send" | "send and bring":
                seq = log.append()
                late.append((seq, frames.event(USER, log.entry(seq))))
                if deed == "send and bring":
                    for socket in sockets.values():
                        socket.brings(*late[-1])
            case "bring late":
                for message in late:
                    sockets["stays"].brings(*message)
            case "compare":
                sockets["stays"].compares()
            case "return":
                sockets["returns"].session.close(1006, "")
                sockets["returns"] = Socket(returns, log)
            case "fail over":
                failovers += 1
                log.fail_over(min(lost[number], len(log.entries)), failovers * ROUND)
    before = [client.resets for client in (stays, returns)]
    assert max(before) <= failovers
    for message in late:  # any event of any log that is still on its way
        sockets["stays"].brings(*message)
    sockets["stays"].compares()
    sockets["returns"].session.close(1006, "")
    sockets["returns"] = Socket(returns, log)
    for client, told in zip((stays, returns), before, strict=True):
        assert client.held == [id for _, id in sorted(log.entries.items())]
        assert client.seq == log.head
        assert client.resets - told <= 1
        assert (client.resets > 0) == (failovers > 0)
        assert client.resets <= failovers
    assert all(socket.session.phase is Phase.LIVE for socket in sockets.values())


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 30), st.integers(0, 30))
def test_only_a_client_below_the_base_is_reset(after: int, head: int, purged: int, base: int) -> None:
    head = max(head, base)
    reason = reset_reason(after, head, purged, base)
    assert (reason == "restored") == (after < base)
    if after >= base:
        assert reason == reset_reason(after, head, purged)
