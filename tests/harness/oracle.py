"""A model of what should be true: a user's inbox after every seq, and a client that only gets frames.

Nothing here uses the store: the store, the session and the client are compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from notifier.core.log import ARCHIVED, MOVES, READ, UNREAD, Status


@dataclass(frozen=True)
class View:
    """An inbox at one moment: the state of each entry by its id, the badges, the unread count."""

    entries: Mapping[str, tuple[int, Status]] = field(default_factory=dict)
    badges: Mapping[str, int] = field(default_factory=dict)

    @property
    def unread(self) -> int:
        return len(self.unread_seqs)

    @property
    def unread_seqs(self) -> list[int]:
        """Return the seqs of the unread entries, oldest first."""
        return sorted(seq for seq, status in self.entries.values() if status is Status.UNREAD)

    def arrived(self, seq: int, event: str, id: str, data: Mapping[str, Any]) -> View:
        """Add a notification."""
        if event == "badge":
            return View(self.entries, {**self.badges, data["type"]: data["count"]})
        return View({**self.entries, id: (seq, Status.UNREAD)}, self.badges)

    def moved(self, op: str, data: Mapping[str, Any]) -> View:
        """Change the state of entries, as an event of the log says; ignore unknown ids."""
        sources, target = MOVES[op]
        chosen = (
            {id for id, (seq, _) in self.entries.items() if seq <= data["through"]}
            if "through" in data
            else set(data["ids"])
        )
        return View(
            {
                id: (seq, target if id in chosen and status in sources else status)
                for id, (seq, status) in self.entries.items()
            },
            self.badges,
        )


@dataclass
class Oracle:
    """One user's log: the view after each seq, and what counts as delivered."""

    views: list[View] = field(default_factory=lambda: [View()])
    log: list[tuple[str, str | None, Mapping[str, Any]]] = field(default_factory=list)
    ever_read: set[int] = field(default_factory=set)
    acked: set[int] = field(default_factory=set)
    may_be_acked: set[int] = field(default_factory=set)

    @property
    def head(self) -> int:
        return len(self.log)

    @property
    def now(self) -> View:
        return self.views[-1]

    def arrives(self, event: str, id: str, data: Mapping[str, Any]) -> None:
        """Dispatch a notification to the user."""
        self.log.append((event, id, data))
        self.views.append(self.now.arrived(self.head, event, id, data))

    def expects(self, op: str, ids: Sequence[str] | None, through: int | None) -> Mapping[str, Any] | None:
        """Return the data of the event that a change must cause; None when it changes nothing."""
        if through is not None:
            data: Mapping[str, Any] = {"through": min(through, self.head)}
            return data if self.now.moved(op, data) != self.now else None
        sources, _ = MOVES[op]
        known = [(seq, id) for id, (seq, status) in self.now.entries.items() if status in sources]
        moved = [id for _, id in sorted(known) if id in (ids or ())]
        if not moved:
            return None
        return {"ids": moved, "why": "user"} if op == ARCHIVED else {"ids": moved}

    def changes(self, op: str, data: Mapping[str, Any]) -> None:
        """Apply a change of state, which takes the next seq."""
        before = self.now
        self.log.append((op, None, data))
        self.views.append(before.moved(op, data))
        if op in (READ, ARCHIVED):
            self.ever_read |= {
                seq for seq, status in self.now.entries.values() if status is not Status.UNREAD
            }

    @property
    def delivered(self) -> set[int]:
        """Return the seqs that were sent to a device and acked by it, or read."""
        return self.acked | self.ever_read


@dataclass
class Client:
    """A client that knows only its frames, and checks each against the oracle when it arrives.

    `view` is the state that results from them; since `since` it has got every event, and
    `window` is the number of unread entries that it was sent before that.
    """

    user_id: str
    device: str | None
    oracle: Oracle
    window_limit: int
    seq: int | None = None
    view: View = field(default_factory=View)
    remembered: dict[int, View] = field(default_factory=dict)
    got: set[int] = field(default_factory=set)  # seqs of this connection
    phase: str = "offline"
    head: int = 0
    resets: int = 0  # of this connection, without one right after its welcome

    def connects(self, after: int | None) -> None:
        """Begin a connection; `after` is a seq whose view it remembers, or an invented one."""
        self.phase, self.got, self.resets = "hello", set(), 0
        if after is None:
            self.seq, self.view = None, View()
        else:
            self.seq, self.view = after, self.remembered.get(after, View())

    def receives(self, frame: Mapping[str, Any]) -> None:
        """Handle a frame."""
        handler = {
            "welcome": self._welcome,
            "reset": self._reset,
            "item": self._item,
            "event": self._event,
            "live": self._live,
        }[frame["op"]]
        handler(frame)

    def _welcome(self, frame: Mapping[str, Any]) -> None:
        assert self.phase == "hello", "welcome comes once, first"
        self._begins_at(frame)
        self.phase = "window" if self.seq is None else "replay"
        if self.seq is None:
            self.view = View({}, dict(frame["badges"]))

    def _reset(self, frame: Mapping[str, Any]) -> None:
        assert frame["reason"] in ("behind", "ahead", "purged")
        self.resets += self.phase == "live"
        self._begins_at(frame)
        self.phase, self.seq = "window", None
        self.view = View({}, dict(frame["badges"]))

    def _begins_at(self, frame: Mapping[str, Any]) -> None:
        self.head = frame["seq"]
        assert frame["unread"] == self.oracle.views[self.head].unread
        assert frame["badges"] == self.oracle.views[self.head].badges

    def _item(self, frame: Mapping[str, Any]) -> None:
        assert self.phase == "window", "an item belongs to a window"
        assert (frame["read_at"], frame["archived_at"]) == (None, None)
        self.view = self.view.arrived(frame["seq"], frame["event"], frame["id"], frame["data"])
        self.got.add(frame["seq"])

    def _event(self, frame: Mapping[str, Any]) -> None:
        assert self.phase in ("replay", "live"), f"an event in {self.phase}"
        assert self.seq is not None
        assert frame["seq"] == self.seq + 1, f"seq {frame['seq']} after {self.seq}"
        self.seq = frame["seq"]
        self.got.add(self.seq)
        event, id, data = self.oracle.log[self.seq - 1]
        assert (frame["event"], frame.get("id"), frame["data"]) == (event, id, data)
        assert frame["unread"] == self.oracle.views[self.seq].unread
        if event in (READ, UNREAD, ARCHIVED):
            self.view = self.view.moved(event, frame["data"])
        else:
            self.view = self.view.arrived(self.seq, event, frame["id"], frame["data"])
        self.agrees()

    def _live(self, frame: Mapping[str, Any]) -> None:
        assert frame["seq"] == self.head, "live: not the seq of welcome or reset"
        if self.phase == "window":
            newest = self.oracle.views[self.head].unread_seqs[-self.window_limit :]
            assert self.view.unread_seqs == newest, "not the newest unread entries"
            self.seq = self.head
        assert self.seq == self.head, f"live at {self.head}, but {self.seq} was the last sent"
        self.phase = "live"
        self.agrees()

    def agrees(self) -> None:
        """Check that its state is the oracle's at its seq."""
        assert self.seq is not None
        truth = self.oracle.views[self.seq]
        for id, entry in self.view.entries.items():
            assert truth.entries[id] == entry, f"{id} is {entry} here, {truth.entries[id]} in truth"
        for kind, count in self.view.badges.items():
            assert truth.badges[kind] == count
        self.remembered[self.seq] = self.view
