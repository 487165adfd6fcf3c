"""One notification's timeline: the known facts, and its steps. `notifier.core.diagnosis` explains them.

No SQL here (`models/store/timeline.py` reads the facts), no clock of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notifier.core.reach_words import Reached
from notifier.core.states import CANCELED, SCHEDULED, WITHDRAWN
from notifier.core.text_output import plain_time

LOST_AFTER = timedelta(seconds=30)  # a gateway that has not been heard of for this time has crashed
SLOW_WAKE = timedelta(seconds=1)  # from accepted to the wake-up: the broker was away


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket of the recipient.

    `after` is None when it asked for the window, which reached down to `window_from`; `window_from` is
    None when it was sent the log.
    """

    id: str
    device: str | None
    gateway: str
    opened_at: datetime
    after: int | None
    head: int
    window_from: int | None
    closed_at: datetime | None
    code: int | None
    sent_seq: int | None
    gateway_seen_at: datetime | None
    gateway_stopped_at: datetime | None

    def open_at(self, moment: datetime) -> bool:
        """Return whether the socket may have been open at that time."""
        return self.opened_at <= moment and (self.end is None or self.end >= moment)

    @property
    def end(self) -> datetime | None:
        """When it closed, or its gateway stopped."""
        return self.closed_at or self.gateway_stopped_at

    def lost(self, now: datetime) -> bool:
        """Whether it has no end, but its gateway is not heard of any more."""
        return self.end is None and (self.gateway_seen_at is None or now - self.gateway_seen_at > LOST_AFTER)

    def sent(self, seq: int) -> bool | None:
        """Return whether it was sent the log's entry `seq`; None: not known while it is open."""
        if seq <= self.head:
            if self.window_from is not None:
                return seq >= self.window_from
            return self.after is not None and seq > self.after
        return None if self.sent_seq is None else seq <= self.sent_seq

    @property
    def name(self) -> str:
        """Its name in a sentence."""
        return f"socket {self.id[:8]} of " + (f"device {self.device}" if self.device else "an unnamed device")


@dataclass(frozen=True, slots=True)
class Copy:
    """One recipient's copy."""

    user_id: str
    seq: int
    persisted_at: datetime
    delivered_at: datetime | None
    acked_by: str | None
    read_at: datetime | None
    archived_at: datetime | None
    hidden: str | None = None
    until: datetime | None = None
    returned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """Why a recipient did not get it: its category was switched off.

    Attributes:
        since: when the user did that; None: it is a default of the category.
        at: when that was decided.
    """

    since: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that is known about one notification, or one recipient's copy of it.

    `user_id` None: of all its recipients. `copy` None: it has not been put into the inbox, or is not
    kept any more. `sockets`: those open between dispatch and delivery. `reached_by`: the rows of
    channels for this copy; `channels`: for all recipients, channel -> state -> how many rows. `erased`: how
    many recipients were erased before they got it; `erased_in_all`: and after.
    """

    id: str
    event: str
    inbox: bool
    status: str
    attempts: int
    next_attempt_at: datetime | None
    error: str | None
    accepted_at: datetime
    woken_at: datetime | None
    dispatched_at: datetime | None
    published_at: datetime | None
    recipients: int
    reached: int
    delivered: int
    read: int
    user_id: str | None = None
    copy: Copy | None = None
    off: SwitchedOff | None = None
    suppressed: int = 0
    erased: int = 0
    erased_in_all: int = 0
    acker: Socket | None = None
    sockets: Sequence[Socket] = field(default=())
    scheduled_at: datetime | None = None
    deliver_at: datetime | None = None
    ended_at: datetime | None = None
    reached_by: Sequence[Reached] = field(default=())
    channels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One step, when it happened (None: it did not, or unknown), and a detail."""

    name: str
    at: datetime | None
    detail: str


def steps(timeline: Timeline, now: datetime) -> Sequence[Step]:
    """Return the steps from accepted to read."""
    many = "" if timeline.recipients == 1 else f" for {timeline.recipients} recipients"
    scheduled = timeline.status == SCHEDULED
    found = [
        *_scheduled(timeline, many),
        Step("accepted", None, "not due yet")
        if scheduled
        else Step("accepted", timeline.accepted_at, f"durable{many}"),
        Step("woken", timeline.woken_at, _woken(timeline)),
        Step("dispatched", _persisted(timeline), _dispatched(timeline, now)),
        Step("published", timeline.published_at, _published(timeline)),
    ]
    if timeline.user_id is None:
        return [
            *found,
            Step("delivered", None, f"{timeline.delivered} of {timeline.recipients} recipients"),
            Step("read", None, f"{timeline.read} of {timeline.recipients} recipients"),
            *_ended(timeline),
        ]
    copy = timeline.copy
    return [
        *found,
        Step("delivered", delivered_at(copy), _delivered(timeline)),
        Step("read", copy.read_at if copy else None, "" if copy and copy.read_at else "not yet"),
        *_ended(timeline),
    ]


def _scheduled(timeline: Timeline, many: str) -> Sequence[Step]:
    if timeline.scheduled_at is None or timeline.deliver_at is None:
        return []
    ahead = long(timeline.deliver_at - timeline.scheduled_at)
    return [Step("scheduled", timeline.scheduled_at, f"durable{many}, due {ahead} later")]


def _ended(timeline: Timeline) -> Sequence[Step]:
    if timeline.status not in WITHDRAWN:
        return []
    had = f"; {timeline.reached} of {timeline.recipients} had it" if timeline.reached else "; nobody had it"
    return [Step(timeline.status, timeline.ended_at, f"nobody is shown it from then on{had}")]


def _persisted(timeline: Timeline) -> datetime | None:
    if timeline.off:
        return timeline.off.at
    return timeline.copy.persisted_at if timeline.copy else timeline.dispatched_at


def off_since(off: SwitchedOff) -> str:
    """Return a clause: the user switched it off at a time, or it is off by default."""
    if off.since is None:
        return "it is off by default, and the user has not switched it on"
    return f"the user switched it off at {plain_time(off.since)}"


def _woken(timeline: Timeline) -> str:
    if timeline.woken_at is None:
        if timeline.status in (SCHEDULED, CANCELED):
            return ""
        if timeline.reached:
            return "no wake-up led to it: the sweep, or a worker that started, found it"
        return "not known: it is recorded when a worker takes it"
    late = timeline.woken_at - timeline.accepted_at
    if late > SLOW_WAKE:
        return f"{long(late)} after it was accepted: the broker was away, or this is a later attempt"
    if late < timedelta(0):
        return "the wake-up of an earlier one, whose task took this one along"
    return f"after {long(late)}"


def _dispatched(timeline: Timeline, now: datetime) -> str:
    if timeline.off:
        return "not into this inbox: " + off_since(timeline.off)
    if timeline.copy:
        took = long(timeline.copy.persisted_at - timeline.accepted_at)
        return f"seq {timeline.copy.seq} of the inbox, {took} after it was accepted"
    if timeline.dispatched_at:
        return f"{long(timeline.dispatched_at - timeline.accepted_at)} after it was accepted"
    if timeline.status in (SCHEDULED, *WITHDRAWN):
        return ""
    if timeline.status == "dead":
        return f"dead after {counted(timeline.attempts, 'attempt')}: {timeline.error}"
    waiting = f"waiting for {long(now - timeline.accepted_at)}"
    if timeline.reached:
        return f"{waiting}; {timeline.reached} of {timeline.recipients} recipients so far"
    return (
        f"{waiting}; {counted(timeline.attempts, 'attempt')} failed: {timeline.error}"
        if timeline.attempts
        else waiting
    )


def _published(timeline: Timeline) -> str:
    if timeline.published_at:
        return "the broker had it"
    if timeline.reached:
        return (
            "not known to be: the broker was away, or the worker ended then; the gateways fetch it from SQL"
        )
    return ""


def delivered_at(copy: Copy | None) -> datetime | None:
    """Return when a copy was delivered; None: it was not, or there is none."""
    return (copy.delivered_at or copy.read_at) if copy else None


def _delivered(timeline: Timeline) -> str:
    copy = timeline.copy
    if copy is None or (copy.delivered_at is None and copy.read_at is None):
        return "not yet"
    if copy.acked_by is None:
        return "by being read" if copy.read_at else "acked by a device"
    return f"acked by {timeline.acker.name}" if timeline.acker else f"acked by socket {copy.acked_by[:8]}"


def counted(number: int, thing: str) -> str:
    """Return a count with its noun, `1 device` or `2 devices`."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def long(span: timedelta) -> str:
    """Return a duration in short form."""
    seconds = span.total_seconds()
    if abs(seconds) < 1:
        return f"{round(seconds * 1000)} ms"
    if abs(seconds) < 120:
        return f"{seconds:.1f} s"
    if abs(seconds) < 7_200:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3_600)} h" if abs(seconds) < 172_800 else f"{round(seconds / 86_400)} days"
