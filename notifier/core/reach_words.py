"""The outcomes of channels as sentences. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.core.reach import QUIET, State
from notifier.core.text_output import plain_time


@dataclass(frozen=True, slots=True)
class Reached:
    """One row of a channel: one copy of a notification, on its way to one address."""

    channel: str
    state: str
    reason: str | None
    due_at: datetime
    next_at: datetime
    sent_at: datetime | None
    attempts: int
    digest: str | None


def sentence(one: Reached) -> str:
    """Return the outcome as a sentence."""
    because = f" ({one.reason})" if one.reason and one.reason != QUIET else ""
    tries = f", attempt {one.attempts}" if one.attempts > 1 else ""
    said = {
        State.WAITING: _waits(one),
        State.SENDING: f"is with the provider{tries}",
        State.SENT: f"sent{tries}",
        State.FAILED: f"failed, {one.attempts} attempts are used up{because}",
        State.GONE: f"the address is no longer there{because}",
        State.REFUSED: f"refused{because}",
        State.UNKNOWN: f"nobody can know whether it was sent{because}",
        State.SKIPPED: f"skipped: {one.reason}",
    }[State(one.state)]
    if one.state == State.WAITING and one.attempts:
        said += f" after {one.attempts} attempts{because}"
    return f"By {one.channel}: {said}."


def _waits(one: Reached) -> str:
    until = plain_time(one.next_at)
    if one.digest:
        return f"waits, for the {one.digest} digest at {until}"
    if one.reason == QUIET or (not one.attempts and one.next_at > one.due_at):
        return f"waits for the end of quiet hours or of a pause, until {until}"
    return f"waits, until {until}"


def counted(states: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Return the number of rows by channel and state, as a sentence."""
    for channel, counts in states.items():
        yield f"By {channel}: {', '.join(f'{count} {state}' for state, count in counts.items())}."


def as_json(rows: Sequence[Reached]) -> list[dict[str, Any]]:
    """Return rows in the API's form; times are milliseconds since 1970 UTC."""
    return [
        {
            "channel": one.channel,
            "state": one.state,
            "reason": one.reason,
            "digest": one.digest,
            "attempts": one.attempts,
            "due_at": _ms(one.due_at),
            "next_at": _ms(one.next_at) if one.state == State.WAITING else None,
            "sent_at": _ms(one.sent_at),
        }
        for one in rows
    ]


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
