"""A client's copy of its inbox, kept from frames alone: entries, the exact unread count, badges."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

READ, UNREAD, ARCHIVED = "inbox.read", "inbox.unread", "inbox.archived"


@dataclass(slots=True)
class Entry:
    """An inbox entry as the client knows it."""

    seq: int
    event: str
    data: Any
    read: bool = False
    archived: bool = False

    @property
    def counts(self) -> bool:
        """Whether it counts as unread."""
        return not self.read and not self.archived


@dataclass(slots=True)
class InboxCopy:
    """The state that results from the frames. `complete`: every unread entry is known, so `unread` can be computed."""

    no_inbox: Collection[str] = ("badge",)
    entries: dict[str, Entry] = field(default_factory=dict)
    badges: dict[str, int] = field(default_factory=dict)
    unread: int | None = None
    complete: bool = False

    def restart(self, unread: int, badges: Mapping[str, int]) -> None:
        """Drop everything: a fresh window follows."""
        self.entries.clear()
        self.badges = dict(badges)
        self.unread = unread
        self.complete = False

    def add_item(self, frame: Mapping[str, Any]) -> None:
        """Take an entry of the window."""
        self.entries[frame["id"]] = Entry(
            frame["seq"], frame["event"], frame["data"],
            frame["read_at"] is not None, frame["archived_at"] is not None,
        )  # fmt: skip

    def window_ends(self) -> None:
        """Note the end of the window: it is complete if it has as many entries as are unread."""
        self.complete = self.counted == self.unread

    @property
    def counted(self) -> int:
        """Return how many of the known entries are unread."""
        return sum(entry.counts for entry in self.entries.values())

    def apply(self, frame: Mapping[str, Any]) -> str | None:
        """Apply an event of the log; return what is wrong with its `unread`, or None."""
        event, data, before = frame["event"], frame["data"], self.unread
        low = high = 0
        if event == READ:
            change, known = self._mark_read(data)
            low, high = (change, change) if self.complete or known else (-(before or 0), 0)
        elif event == UNREAD:
            change, known = self._mark_unread(data["ids"])
            low, high = (change, change) if self.complete or known else (0, len(data["ids"]))
        elif event == ARCHIVED:
            change, known = self._archive(data["ids"])
            low, high = (change, change) if self.complete or known else (-len(data["ids"]), 0)
        elif event == "badge":
            self.badges[data["type"]] = data["count"]
        elif frame.get("inbox", event not in self.no_inbox):
            self.entries[frame["id"]] = Entry(frame["seq"], event, data)
            low = high = 1
        self.unread = frame["unread"]
        if before is None or before + low <= self.unread <= before + high:
            return None
        expected = f"{before + low}" if low == high else f"{before + low} to {before + high}"
        return f"unread is {self.unread}, expected {expected} (before: {before})"

    def _mark_read(self, data: Mapping[str, Any]) -> tuple[int, bool]:
        if "through" in data:
            chosen = [entry for entry in self.entries.values() if entry.seq <= data["through"]]
            return -self._set(chosen, "read", True), False
        return -self._set(self._known(data["ids"]), "read", True), self._knows(data["ids"])

    def _mark_unread(self, ids: list[str]) -> tuple[int, bool]:
        before = self.counted
        self._set(self._known(ids), "read", False)
        self._set(self._known(ids), "archived", False)
        return self.counted - before, self._knows(ids)

    def _archive(self, ids: list[str]) -> tuple[int, bool]:
        """Archive an entry: it counts as read; `unread` restores it."""
        stopped = self._set(self._known(ids), "read", True)
        self._set(self._known(ids), "archived", True)
        return -stopped, self._knows(ids)

    def _set(self, chosen: Iterable[Entry], name: str, value: bool) -> int:
        """Set a mark; return how many stopped counting as unread."""
        stopped = 0
        for entry in chosen:
            counted = entry.counts
            setattr(entry, name, value)
            stopped += counted and not entry.counts
        return stopped

    def _known(self, ids: Iterable[str]) -> list[Entry]:
        return [self.entries[identity] for identity in ids if identity in self.entries]

    def _knows(self, ids: Iterable[str]) -> bool:
        return all(identity in self.entries for identity in ids)

    def differences(self, page: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return the differences from a new read.

        `page` is the first answer of ``GET /api/inbox?status=all``, `items` every item of all its pages.
        Entries that the client never got are an error only if its copy is complete and they are unread.
        """
        found = []
        if self.unread != page["unread"]:
            found.append(f"unread is {self.unread} here, {page['unread']} in the inbox")
        if self.badges != page["badges"]:
            found.append(f"badges are {self.badges} here, {page['badges']} in the inbox")
        stored = {item["id"]: item for item in items}
        for identity, entry in self.entries.items():
            item = stored.get(identity)
            if item is None:
                found.append(f"{identity} is here and not in the inbox")
                continue
            there = (
                item["seq"], item["data"], item["read_at"] is not None, item["archived_at"] is not None
            )  # fmt: skip
            here = (entry.seq, entry.data, entry.read, entry.archived)
            if here != there:
                found.append(f"{identity} is {here} here, {there} in the inbox")
        if self.complete:
            found += [
                f"{identity} is unread in the inbox and not here"
                for identity, item in stored.items()
                if item["read_at"] is None and item["archived_at"] is None and identity not in self.entries
            ]
        return found
