"""Effects returned by Session; the gateway executes them in order. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """Send this text frame (UTF-8)."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket; nothing follows."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Join:
    """Subscribe to the user's events, read a snapshot as of `after`, then call `joined`."""

    user_id: str
    after: int | None
    device: str | None


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the user's log after `after`, then call `fetched` (or `joined`, with a reset)."""

    user_id: str
    after: int


@dataclass(frozen=True, slots=True)
class Acked:
    """The device has what this socket was sent, from `after` (exclusive) up to `through`.

    Sent were: the window's inbox entries from seq `window_from` to `log_from`, and every entry
    after `log_from`.
    """

    window_from: int
    log_from: int
    after: int
    through: int


@dataclass(frozen=True, slots=True)
class Change:
    """The user changes the state of entries: `op` as `usecases.change_entries` has it."""

    op: str
    ids: Sequence[str] | None = None
    through: int | None = None
    until: int | None = None


Effect = Send | Close | Join | Fetch | Acked | Change
