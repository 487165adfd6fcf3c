"""A client of the store that knows nothing but what it is given: a window, and the log's entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from notifier.core.log import ARCHIVED, MOVED, MOVES, READ, SEEN, SNOOZE, UPDATED, Entry, Item, Status
from tests.harness.world import World

#: Reasons for which an entry leaves for good.
FOR_GOOD = ("retracted", "expired", "collapsed")


@dataclass
class Held:
    """An entry that the client holds."""

    seq: int
    status: Status
    data: Any


class LogReader:
    """A user's client: each entry's state and data, by id.

    Attributes:
        seq: up to where it has the log.
        whole: whether it has the log from its beginning; else it holds what it was given.
    """

    def __init__(self, user: str) -> None:
        self.user = user
        self.seq = 0
        self.unread = 0
        self.seen = 0
        self.whole = True
        self.entries: dict[str, Held] = {}
        self.unknown: set[str] = set()  # ids that a change named and that it does not hold

    def hello(self, world: World, after: int | None) -> None:
        """Start as a socket does: get the log after a seq, or a window."""
        at = world.snapshot(self.user, after)
        if at.window is not None:
            assert (after is None) == (at.reset is None)
            self.entries = {item.id: Held(item.seq, item.status, item.data) for item in at.window}
            self.whole, self.unknown = False, set()
            self.seq, self.unread = at.head, at.unread
        else:
            assert at.log is not None
            self.applies(at.log)
            assert (self.seq, self.unread) == (at.head, at.unread)
        self.seen = at.seen

    def applies(self, entries: Sequence[Entry]) -> None:
        """Take the next entries of the log."""
        for entry in entries:
            assert entry.seq == self.seq + 1
            self.seq, self.unread = entry.seq, entry.unread
            self._apply(entry)

    def _apply(self, entry: Entry) -> None:
        if entry.id is not None:
            if entry.inbox:
                self.entries[entry.id] = Held(entry.seq, Status.UNREAD, entry.data)
                self.unknown.discard(entry.id)
        elif entry.event == SEEN:
            self.seen = entry.data["through"]
        elif entry.event == READ and "through" in entry.data:
            for held in self.entries.values():
                if held.status is Status.UNREAD and held.seq <= entry.data["through"]:
                    held.status = Status.READ
        elif entry.event == UPDATED:
            for id in entry.data["ids"]:
                if id in self.entries:
                    self.entries[id].data = entry.data["data"]
        elif entry.event == ARCHIVED and entry.data["why"] in FOR_GOOD:
            for id in entry.data["ids"]:
                self.entries.pop(id, None)
        elif entry.event != MOVED:  # whose arrival takes a later seq
            self._moves(entry)

    def _moves(self, entry: Entry) -> None:
        sources, target = MOVES[SNOOZE if entry.data.get("why") == "snoozed" else entry.event]
        for id in entry.data["ids"]:
            held = self.entries.get(id)
            if held is None:
                self.unknown.add(id)
            elif held.status in sources:
                held.status = target

    def differs(self, world: World) -> list[str]:
        """Compare with a new read; return what differs. Logs must have been told of all that has ended."""
        items = world.page(self.user) + world.page(self.user, Status.SNOOZED)
        present = {item.id: (item.status, item.data) for item in items}
        kept = {id for id in self.entries if id in present or world.holds(self.user, id)}
        held = {id: (self.entries[id].status, self.entries[id].data) for id in kept}
        found = [f"{id}: holds {what}, not {present.get(id)}" for id, what in held.items()
                 if present.get(id) != what]  # fmt: skip
        at = world.snapshot(self.user)
        if (self.unread, self.seen) != (at.unread, at.seen):
            found.append(f"counts {self.unread, self.seen}, not {at.unread, at.seen}")
        window: Sequence[Item] = at.window or ()
        must = present.keys() if self.whole else {item.id for item in window} - self.unknown
        return found + [f"{id}: is missing" for id in must - held.keys()]
