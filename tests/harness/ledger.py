"""The ledger: every frame of a client, checked against docs/contract.md, section 6, when it arrives.

Sans I/O: frames are fed in, and a broken promise raises :class:`Breach` at once. A ledger covers all connections of
a client, so it also notices what is doubled or missing between two of them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tests.harness.inbox_copy import InboxCopy

WINDOW = 50
MAX_BEHIND = 1000
_COMMON = {"op", "seq", "event", "id", "room", "from", "timestamp", "data"}


class Breach(AssertionError):
    """Raised for a broken promise. The message names it, and ends with the last frames.

    `kind` is one of "lost", "doubled", "order", "invented" and "state" (everything else).
    """

    kind = "state"


class Ledger:
    """The record of one client.

    `seq` is the last seq it has (None before it knows any), with which it resumes. `received` counts each
    notification id; `order` is the ids in the order they came; both over all connections.
    """

    def __init__(
        self,
        user_id: str,
        *,
        no_inbox: Collection[str] = ("badge",),
        live_resets: bool = False,
        keep: int = 12,
    ) -> None:
        self.user_id = user_id
        self.inbox = InboxCopy(no_inbox)
        self.seq: int | None = None
        self.received: Counter[str] = Counter()
        self.order: list[str] = []
        self.frames: deque[Mapping[str, Any]] = deque(maxlen=keep)
        self.counts: Counter[str] = Counter()
        self.connections = 0
        self.resets: list[str] = []
        self.errors: list[Mapping[str, Any]] = []
        self.phase = "offline"
        self._live_resets = live_resets
        self._after: int | None = None
        self._welcome: Mapping[str, Any] = {}
        self._head = 0
        self._window_last = 0
        self._window_count = 0
        self._pings = 0

    @property
    def live(self) -> bool:
        """Whether it has got `live` on this connection."""
        return self.phase == "live"

    def says_hello(self, after: int | None) -> None:
        """Begin a connection whose hello has `after`."""
        self.connections += 1
        self.phase, self._after, self._pings = "hello", after, 0
        if after is not None and after != self.seq:
            # Not its own seq, so what it holds says nothing about the next frames.
            self.seq = after
            self.inbox = InboxCopy(self.inbox.no_inbox, complete=after == 0)
            if after == 0:
                self.inbox.unread = 0

    def says_ping(self) -> None:
        """Note a ping, which must be answered by one pong."""
        self._pings += 1

    def ends(self) -> None:
        """End the connection."""
        self.phase = "offline"

    def feed(self, frame: Mapping[str, Any]) -> None:
        """Add a frame. Raises Breach."""
        self.frames.append(frame)
        op = frame.get("op")
        self.counts[str(op)] += 1
        handler = _HANDLERS.get(str(op))
        if handler is None:
            raise self.breach(f"unknown op {op!r}")
        handler(self, frame)

    def breach(self, what: str, kind: str = "state") -> Breach:
        """Return the error for a broken promise, with the last frames."""
        shown = "\n  ".join(str(frame)[:300] for frame in self.frames)
        error = Breach(f"{self.user_id!r}, connection {self.connections}, {self.phase}: {what}\n  {shown}")
        error.kind = kind
        return error

    def _require(self, holds: bool, what: str, kind: str = "state") -> None:
        if not holds:
            raise self.breach(what, kind)

    def _on_welcome(self, frame: Mapping[str, Any]) -> None:
        self._require(self.phase == "hello", "a welcome that no hello asked for")
        self._require(frame["user_id"] == self.user_id, "a welcome for another user")
        self._require(_whole(frame["seq"]) and _whole(frame["unread"]), "welcome: seq and unread are counts")
        self._require(float(frame["ping_interval"]) > 0, "welcome: ping_interval is a length of time")
        self._welcome, self._head = frame, frame["seq"]
        if self._after is None:
            self.inbox.restart(frame["unread"], frame["badges"])
            self._begin_window(frame["seq"])
            return
        self.phase = "replay"
        if not self._must_reset:
            self._check_head()

    @property
    def _must_reset(self) -> bool:
        return self._after is not None and not 0 <= self._head - self._after <= MAX_BEHIND

    def _on_reset(self, frame: Mapping[str, Any]) -> None:
        at_start = self.phase == "replay" and self.frames[-2].get("op") == "welcome"
        self._require(at_start or (self.live and self._live_resets), "a reset in the middle")
        self._require(bool(frame["reason"]), "a reset without a reason")
        self.resets.append(frame["reason"])
        self.inbox.restart(frame["unread"], frame["badges"])
        self._begin_window(frame["seq"])

    def _begin_window(self, head: int) -> None:
        self.phase, self._head = "window", head
        self._window_last = self._window_count = 0

    def _on_item(self, frame: Mapping[str, Any]) -> None:
        self._require(self.phase == "window", "an item outside the window")
        self._require(set(frame) == _COMMON | {"read_at", "archived_at"}, "item: not the promised fields")
        self._require(frame["room"] == f"user:{self.user_id}", "an item of another user's room")
        self._require(self._window_last < frame["seq"] <= self._head, "items are not oldest first")
        self._require(frame["read_at"] is None and frame["archived_at"] is None, "window: an item not unread")
        self._require(frame["event"] not in self.inbox.no_inbox, "window: no inbox entry")
        self._window_last = frame["seq"]
        self._window_count += 1
        self.inbox.add_item(frame)

    def _on_event(self, frame: Mapping[str, Any]) -> None:
        self._require(self.phase in {"replay", "live"}, "an event before its time")
        self._require(self.seq is not None and not self._pending_reset, "an event where a reset was due")
        follows = (self.seq or 0) + 1
        kind = "lost" if frame["seq"] > follows else "doubled"
        self._require(frame["seq"] == follows, f"seq {frame['seq']} after {self.seq}", kind)
        change = str(frame["event"]).startswith("inbox.")
        # `inbox: false` marks a defined event that is not an inbox entry; a client could not know otherwise.
        self._require(
            (set(frame) | {"id"}) - {"inbox"} == _COMMON | {"unread"}, "event: not the promised fields"
        )
        self._require(
            ("id" in frame) is not change, "event: an id where none belongs, or none where one does"
        )
        self._require(frame["room"] == f"user:{self.user_id}", "an event of another user's room")
        self.seq = frame["seq"]
        if not change:
            self.received[frame["id"]] += 1
            self._require(self.received[frame["id"]] == 1, f"{frame['id']} came twice", "doubled")
            self.order.append(frame["id"])
        if wrong := self.inbox.apply(frame):
            raise self.breach(wrong)
        if self.phase == "replay":
            self._check_head()

    @property
    def _pending_reset(self) -> bool:
        return self.phase == "replay" and self._must_reset

    def _check_head(self) -> None:
        """Check that the copy at the welcome's seq equals the welcome."""
        if self.seq != self._head:
            return
        if self.inbox.unread is None:  # began in the middle of the log: nothing to compare, adopt it
            self.inbox.unread, self.inbox.badges = self._welcome["unread"], dict(self._welcome["badges"])
            return
        self._require(self.inbox.unread == self._welcome["unread"], f"unread is {self.inbox.unread} here")
        if self.inbox.complete:
            self._require(self.inbox.badges == self._welcome["badges"], f"badges: {self.inbox.badges} here")

    def _on_live(self, frame: Mapping[str, Any]) -> None:
        self._require(self.phase in {"window", "replay"} and not self._pending_reset, "live before its time")
        if self.phase == "window":
            self._require(frame["seq"] == self._head, "live: not the seq of its window")
            due = min(WINDOW, self.inbox.unread or 0)
            self._require(self._window_count == due, f"window: {self._window_count} items, {due} are due")
            self.seq = self._head
            self.inbox.window_ends()
        self._require(frame["seq"] == self.seq, f"live at {frame['seq']}, but {self.seq} was the last sent")
        self._require((self.seq or 0) >= self._head, f"live at {self.seq}, before the welcome's {self._head}")
        self.phase = "live"

    def _on_pong(self, frame: Mapping[str, Any]) -> None:
        self._pings -= 1
        self._require(self._pings >= 0, "a pong that no ping asked for")

    def _on_error(self, frame: Mapping[str, Any]) -> None:
        self._require(bool(frame["code"]) and bool(frame["message"]), "an error without code or message")
        self.errors.append(frame)

    def account(self, accepted: Iterable[str]) -> None:
        """Check at the end that exactly the accepted ids arrived. Raises Breach with the lost and the invented."""
        expected = set(accepted)
        lost, invented = expected - self.received.keys(), self.received.keys() - expected
        self._require(not lost, f"{len(lost)} lost of {len(expected)}: {sorted(lost)[:5]}", "lost")
        self._require(not invented, f"{len(invented)} invented: {sorted(invented)[:5]}", "invented")

    def in_order(self, sent: Iterable[str]) -> None:
        """Check at the end that ids sent one after the other arrived in that order (promise 8). Raises Breach."""
        wanted = [identity for identity in sent if identity in self.received]
        chosen = set(wanted)
        came = [identity for identity in self.order if identity in chosen]
        self._require(came == wanted, "not in the order they were sent", "order")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_HANDLERS = {
    "welcome": Ledger._on_welcome,
    "reset": Ledger._on_reset,
    "item": Ledger._on_item,
    "event": Ledger._on_event,
    "live": Ledger._on_live,
    "pong": Ledger._on_pong,
    "error": Ledger._on_error,
}
