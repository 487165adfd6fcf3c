"""The types of a user's log and inbox, shared by every package.

An `Entry` is one committed change: it has a seq and happened once. An `Item` is an inbox entry in
its present state. `Snapshot` is the state with which a socket starts, read in one consistent moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

READ: Final = "inbox.read"
UNREAD: Final = "inbox.unread"
ARCHIVED: Final = "inbox.archived"
SEEN: Final = "inbox.seen"
UPDATED: Final = "inbox.updated"  # a notification's data has changed
MOVED: Final = "inbox.moved"  # in the place of an arrival that has taken a later seq
#: Operations that no log entry is named after: it is ARCHIVED with a reason, and the arrival itself.
SNOOZE: Final = "snooze"
UNSNOOZE: Final = "unsnooze"

WINDOW: Final = 50  # items of a window at most
MAX_BEHIND: Final = 1_000  # events that are replayed at most; beyond, the socket is reset
MAX_UNSEEN: Final = 100  # unread entries beyond what was seen are counted up to here
MAX_SNOOZE: Final = timedelta(days=400)


class Why(StrEnum):
    """Why an entry has left the inbox: what `inbox.archived` says."""

    USER = "user"
    RETRACTED = "retracted"
    EXPIRED = "expired"
    SNOOZED = "snoozed"
    COLLAPSED = "collapsed"


#: Withdrawn entries: no reader is given them; a replay has `inbox.archived` in the place of their arrival.
WITHDRAWN: Final = frozenset({Why.RETRACTED, Why.EXPIRED})


class Status(StrEnum):
    """An inbox entry is in one of these states; `ALL` names those that are in the inbox or its archive."""

    ALL = "all"
    UNREAD = "unread"
    READ = "read"
    ARCHIVED = "archived"
    SNOOZED = "snoozed"


#: The moves of an inbox entry: operation -> (the states it moves, the state it moves them to).
#: An archived entry counts as read; `unread` restores it.
MOVES: Final[Mapping[str, tuple[frozenset[Status], Status]]] = {
    READ: (frozenset({Status.UNREAD}), Status.READ),
    UNREAD: (frozenset({Status.READ, Status.ARCHIVED}), Status.UNREAD),
    ARCHIVED: (frozenset({Status.UNREAD, Status.READ, Status.SNOOZED}), Status.ARCHIVED),
    # A snoozed one may be given another time.
    SNOOZE: (frozenset({Status.UNREAD, Status.READ, Status.SNOOZED}), Status.SNOOZED),
    UNSNOOZE: (frozenset({Status.SNOOZED}), Status.UNREAD),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One committed change of a user's log, as it happened.

    Attributes:
        seq: its number in the log, from 1 or after a failover from the base, without a gap.
        event: `alert`, `badge`, any defined event, or a change of state (`inbox.…`).
        id: the notification's id; None for a change of state.
        sender: the sender's name.
        timestamp: when it was accepted (a change: made), milliseconds since 1970 UTC.
        data: the event's content.
        unread: the exact count of unread entries as of this seq.
        inbox: whether it is an entry of the inbox.
        collapsed: how many unread entries in a row it stands for; None: it replaced none.
        returned: whether it was snoozed, and is back.
        category: the notification's; None: `general`.
        version: of its data; None: it was never updated.
        quiet: whether it was quiet for the user when it came.
    """

    seq: int
    event: str
    id: str | None
    sender: str
    timestamp: int
    data: Mapping[str, Any]
    unread: int
    inbox: bool = True
    collapsed: int | None = None
    returned: bool = False
    category: str | None = None
    version: int | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """An inbox entry in its present state; times are milliseconds since 1970 UTC."""

    seq: int
    event: str
    id: str
    sender: str
    timestamp: int
    data: Mapping[str, Any]
    read_at: int | None
    archived_at: int | None
    collapsed: int | None = None
    returned: bool = False
    snoozed_until: int | None = None
    category: str | None = None
    version: int | None = None

    @property
    def status(self) -> Status:
        """Which of the states it is in."""
        if self.snoozed_until is not None:
            return Status.SNOOZED
        if self.archived_at is not None:
            return Status.ARCHIVED
        return Status.UNREAD if self.read_at is None else Status.READ


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state with which a socket starts.

    Attributes:
        head: the seq of the log's newest entry, or the base without later entries; 0 for an empty log.
        unread: the exact count at `head`.
        badges: the present count of each badge that was ever set.
        reset: why the client must drop its state; None when it need not.
        window: the newest unread items, oldest first; None when `log` is given.
        log: the entries after the client's own seq up to `head`, in order; None when `window` is given.
        seen: what was on the screen, up to this seq.
        unseen: the unread entries beyond it, MAX_UNSEEN at most.
    """

    head: int
    unread: int
    badges: Mapping[str, int]
    reset: str | None = None
    window: Sequence[Item] | None = None
    log: Sequence[Entry] | None = None
    seen: int = 0
    unseen: int = 0


def reset_reason(after: int, head: int, purged: int, base: int = 0) -> str | None:
    """Return why a client at `after` cannot be brought up to `head` event by event; None: it can be.

    `purged` is the highest seq that is no longer kept, `base` the seq from which all logs continue since
    the database returned to an earlier state (`models.store.log_base`): a client's entries up to there may
    be from the lost log, so every such client is reset once.
    """
    if after > head:
        return "ahead"
    if after < base:
        return "restored"
    if after < purged:
        return "purged"
    if head - after > MAX_BEHIND:
        return "behind"
    return None
