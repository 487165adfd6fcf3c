"""Diagnosis: why a user has a notification or not, in a few plain sentences made from its timeline."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from notifier.core import reach_words
from notifier.core.log import Why
from notifier.core.states import EXPIRED, SCHEDULED, WITHDRAWN
from notifier.core.text_output import plain_time
from notifier.core.timeline import SLOW_WAKE, Copy, Socket, Timeline, counted, long, off_since


def summary(timeline: Timeline, now: datetime, broker: bool | None = None) -> str:
    """Return a short explanation. `broker`: whether it answers now; None: not asked."""
    said = [*_sentences(timeline, now, broker), *_channels(timeline)]
    return " ".join(sentence for sentence in said if sentence)


def _sentences(timeline: Timeline, now: datetime, broker: bool | None) -> Iterator[str]:
    if timeline.status in WITHDRAWN:
        yield from _withdrawn(timeline)
    elif timeline.status == SCHEDULED and timeline.deliver_at is not None:
        yield f"It is scheduled, and due in {long(max(timedelta(0), timeline.deliver_at - now))}."
        if timeline.deliver_at < now:
            yield "Is a worker running?"
    elif timeline.copy is not None:
        yield from _copy(timeline, timeline.copy, now)
    elif timeline.off is not None:
        yield f"The inbox did not get it: {off_since(timeline.off)}. It took no seq and counts nowhere."
    elif timeline.status == "dead":
        yield f"It is dead after {counted(timeline.attempts, 'attempt')}: {timeline.error}."
        yield f"Once the cause is gone: notifier dead replay {timeline.id}."
    elif timeline.status == "accepted":
        yield from _waiting(timeline, now, broker)
    elif timeline.user_id is not None:
        yield "It was dispatched, and the copy is no longer kept."
    else:
        missing = timeline.recipients - timeline.delivered - timeline.suppressed - timeline.erased
        everybody = counted(timeline.recipients, "recipient")
        if timeline.erased_in_all:
            were = "was" if timeline.erased_in_all == 1 else "were"
            yield f"{timeline.erased_in_all} of {everybody} {were} erased since."
        if timeline.suppressed:
            had = timeline.recipients - timeline.suppressed
            yield f"{timeline.suppressed} of {everybody} had switched it off;"
            yield f"it is in the inbox of {had}:"
        else:
            had = timeline.recipients - timeline.erased
            every = "all " if had > 1 and not timeline.erased else ""
            yield f"It is in the inbox of {every}{counted(had, 'recipient')}:"
        yield f"{_have(timeline.delivered)} it on a device, {_have(timeline.read)} read it,"
        yield f"{_have(missing)} not got it."


def _have(number: int) -> str:
    return f"{number} {'has' if number == 1 else 'have'}"


def _channels(timeline: Timeline) -> Iterator[str]:
    """Yield a sentence for each outcome of a channel."""
    if timeline.user_id is None:
        yield from reach_words.counted(timeline.channels)
    for one in timeline.reached_by:
        yield reach_words.sentence(one)


def _withdrawn(timeline: Timeline) -> Iterator[str]:
    over = timeline.status == EXPIRED
    what = "It expired" if over else f"It was {timeline.status}: its sender stopped it"
    if not timeline.reached:
        yield f"{what} before anybody had it."
    elif timeline.user_id is not None and timeline.copy is None:
        yield f"{what} before this user had it."
    else:
        yield f"{what}. It is not shown any more."
        if timeline.copy is not None and timeline.copy.read_at is not None:
            yield "It had been read before."
        elif timeline.copy is not None and timeline.copy.delivered_at is not None:
            yield "A device had it before."


def _waiting(timeline: Timeline, now: datetime, broker: bool | None) -> Iterator[str]:
    waited = long(now - timeline.accepted_at)
    if timeline.attempts:
        yield f"It failed {counted(timeline.attempts, 'time')}: {timeline.error}."
        if timeline.next_attempt_at:
            yield f"The next attempt is due in {long(max(timedelta(0), timeline.next_attempt_at - now))}."
        return
    if timeline.reached:
        yield f"It goes out in chunks: {timeline.reached} of {timeline.recipients} inboxes have it,"
        yield "this one is not among them yet." if timeline.user_id else "the others follow."
        return
    yield f"No worker has taken it yet, {waited} after it was accepted."
    if broker is False:
        yield "The broker cannot be reached: it goes out when the broker is back."
    elif broker:
        yield "The broker answers: is a worker running?"


def _copy(timeline: Timeline, copy: Copy, now: datetime) -> Iterator[str]:
    if timeline.woken_at is None and copy.persisted_at - timeline.accepted_at > SLOW_WAKE:
        late = long(copy.persisted_at - timeline.accepted_at)
        yield f"No wake-up reached a worker (the broker or the workers were away); it was found {late} later."
    elif timeline.woken_at is not None and timeline.woken_at - timeline.accepted_at > SLOW_WAKE:
        late = long(timeline.woken_at - timeline.accepted_at)
        yield f"It waited {late} before a worker was woken: the broker was away, or an attempt had failed."
    if copy.delivered_at is not None or copy.read_at is not None:
        yield from _has_it(timeline, copy)
    else:
        yield from _has_not(timeline, copy, now)


def _has_it(timeline: Timeline, copy: Copy) -> Iterator[str]:
    at = copy.delivered_at or copy.read_at
    assert at is not None
    took = long(at - copy.persisted_at)
    acker = timeline.acker
    if copy.acked_by is None:
        yield f"It was read {took} after it was in the inbox; no device had acked it before."
    elif acker is None:
        yield f"Socket {copy.acked_by[:8]} acked it after {took}."
    elif acker.open_at(copy.persisted_at):
        yield f"{_capital(acker.name)} was open and acked after {took}."
    else:
        away = long(acker.opened_at - copy.persisted_at)
        yield f"No device took it at once; {acker.name} opened {away} later, was sent it and acked."
    if copy.hidden == Why.SNOOZED and copy.until is not None:
        yield f"The user snoozed it until {plain_time(copy.until)}."
    elif copy.hidden == Why.COLLAPSED:
        yield "A newer one with the same collapse key has replaced it."
    elif copy.returned_at is not None:
        yield f"It was snoozed, and came back {long(copy.returned_at - copy.persisted_at)} after it arrived."
    if copy.read_at is None and copy.hidden is None:
        yield "It is unread." if timeline.inbox else ""
    elif copy.read_at is not None and copy.acked_by is not None:
        yield f"It was read {long(copy.read_at - copy.persisted_at)} after it was in the inbox."


def _has_not(timeline: Timeline, copy: Copy, now: datetime) -> Iterator[str]:
    if not timeline.sockets and timeline.woken_at is None and timeline.published_at is None:
        yield "No socket is known of that was open, then or since."  # it may be older than the socket records
        return
    if not timeline.sockets:
        yield "No socket was open, and none has been since:"
        yield (
            "it waits in the inbox, and the badge counts it."
            if timeline.inbox
            else "the next one is sent it."
        )
        return
    if not any(socket.open_at(copy.persisted_at) for socket in timeline.sockets):
        yield "No socket was open at that time."
    for socket in timeline.sockets[-3:]:
        yield _unacked(socket, copy, now)
    if timeline.published_at is None:
        yield "It is not known to have been published; gateways fetch such entries within half a minute."


def _unacked(socket: Socket, copy: Copy, now: datetime) -> str:
    name, sent = _capital(socket.name), socket.sent(copy.seq)
    if socket.lost(now):
        return f"{name} is not known to be closed: its gateway crashed or lost the database."
    if sent:
        gone = f" and closed ({socket.code})" if socket.closed_at else ""
        return f"{name} was sent it{gone}, and never acked."
    if socket.end is not None:
        return f"{name} closed ({socket.code}) before it was sent it."
    if sent is None:
        return f"{name} is open and has not acked it."
    return f"{name} is open, and began where this was behind it: the inbox has it."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
