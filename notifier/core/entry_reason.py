"""The reason why a user has seen an entry or not, in sentences for a support agent. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.core import reach_words
from notifier.core.log import Status, Why
from notifier.core.reach_words import Reached
from notifier.core.text_output import plain_time
from notifier.core.timeline import Socket, SwitchedOff, off_since


@dataclass(frozen=True, slots=True)
class Known:
    """One entry of a user's inbox, those that have left it included.

    Attributes:
        seq, id, event, sender, accepted_at: of its arrival.
        state: a Status, or why it is out of the inbox for good.
        since: when that state began, as far as the entry itself says; None: unknown.
        until: when a snoozed one comes back.
        data: None for what is withdrawn.
        persisted_at: when it was put into the inbox.
        delivered_at: when a device had it, or it was read; None: not yet.
        quiet: whether it came during the user's quiet hours or a pause.
    """

    seq: int
    id: str
    event: str
    sender: str
    accepted_at: datetime
    state: str
    since: datetime | None
    until: datetime | None
    data: dict[str, Any] | None
    persisted_at: datetime
    delivered_at: datetime | None
    quiet: bool


def title(data: Any) -> str:
    """Return the title of a notification's data; empty: it has none."""
    found = data.get("title") if isinstance(data, dict) else None
    return found if isinstance(found, str) else ""


def why(entry: Known, sockets: Sequence[Socket], reached: Sequence[Reached], now: datetime) -> str:
    """Return the reason for an entry's state.

    Args:
        entry: the entry.
        sockets: the user's last sockets, in any order.
        reached: the entry's rows of channels.
        now: the present.
    """
    said = [*_state(entry, sockets, now), *(reach_words.sentence(one) for one in reached)]
    return " ".join(said)


def _state(entry: Known, sockets: Sequence[Socket], now: datetime) -> Iterator[str]:
    since = f" at {plain_time(entry.since)}" if entry.since else ""
    match entry.state:
        case Why.RETRACTED:
            yield f"Retracted{since} by its sender ({entry.sender}) or an administrator."
            yield _had_it(entry)
        case Why.EXPIRED:
            yield f"Expired{since}."
            yield _had_it(entry)
        case Why.COLLAPSED:
            yield "Replaced by a newer one with the same collapse key."
            yield _had_it(entry)
        case Status.SNOOZED:
            until = f" until {plain_time(entry.until)}" if entry.until else ""
            yield f"Snoozed by the user{until}; it comes back then."
        case Status.ARCHIVED:
            yield f"Archived by the user{since}, so it counts as read."
        case Status.READ:
            yield f"Read{since}."
        case _ if entry.delivered_at is not None:
            yield f"A device has had it since {plain_time(entry.delivered_at)}; the user has not read it."
        case _:
            yield "Not delivered: " + not_delivered(entry.persisted_at, sockets, now)
    if entry.quiet:
        yield "It came during the user's quiet hours or a pause: without a toast or a sound."


def _had_it(entry: Known) -> str:
    if entry.delivered_at is None:
        return "No device had it before."
    return f"A device had it before, at {plain_time(entry.delivered_at)}."


def not_delivered(persisted_at: datetime, sockets: Sequence[Socket], now: datetime) -> str:
    """Return the reason why no device has an entry that has been in the inbox since `persisted_at`."""
    connected = [one for one in sockets if one.end is None and not one.lost(now)]
    if connected:
        last = max(connected, key=lambda one: one.opened_at)
        since = plain_time(last.opened_at)
        return f"{_device(last)} has been connected since {since} and has not confirmed it yet."
    ends = [(one.end or one.gateway_seen_at, one) for one in sockets]
    known = [(end, one) for end, one in ends if end is not None]
    if not known:
        return "no device is known to have been connected, then or since."
    end, last = max(known, key=lambda pair: pair[0])
    if end < persisted_at:
        return f"no device has been connected since {plain_time(end)}."
    return (
        f"{_device(last)} was connected until {plain_time(end)} and did not confirm it; none has been since."
    )


def switched_off(off: SwitchedOff) -> str:
    """Return the reason why a user who had switched a category off did not get a notification."""
    return f"Not put into the inbox: {off_since(off)}."


def outside(state: str, *, due: datetime | None, attempts: int, error: str | None) -> str:
    """Return the reason why a notification is in no inbox yet: it is scheduled, waits or is dead."""
    if state == "scheduled":
        return f"Scheduled for {plain_time(due)}." if due else "Scheduled."
    if state == "dead":
        return f"Given up after {attempts} attempts: {error}. An operator can replay it."
    if attempts:
        return f"Waiting after {attempts} failed attempts: {error}."
    return "Waiting: no worker has put it into the inbox yet."


def _device(socket: Socket) -> str:
    return f"device {socket.device}" if socket.device else "a device without a name"
