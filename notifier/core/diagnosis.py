"""Why somebody has a notification or not: a story's facts in, a few plain sentences out."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from notifier.core.timeline import SLOW_WAKE, Copy, Socket, Timeline, counted, long


def summary(story: Timeline, now: datetime, broker: bool | None = None) -> str:
    """Say in plain words what became of it. `broker`: whether it answers now; None: not asked."""
    return " ".join(_sentences(story, now, broker))


def _sentences(story: Timeline, now: datetime, broker: bool | None) -> Iterator[str]:
    if story.copy is not None:
        yield from _copy(story, story.copy, now)
    elif story.status == "dead":
        yield f"It is dead after {counted(story.attempts, 'attempt')}: {story.error}."
        yield f"Once the cause is gone: notifier dead replay {story.id}."
    elif story.status == "accepted":
        yield from _waiting(story, now, broker)
    elif story.user_id is not None:
        yield "It was dispatched, and the copy is no longer kept."
    else:
        missing = story.recipients - story.delivered
        yield f"It is in the inbox of all {story.recipients} recipients:"
        yield f"{story.delivered} have it on a device, {story.read} have read it, {missing} have not got it."


def _waiting(story: Timeline, now: datetime, broker: bool | None) -> Iterator[str]:
    waited = long(now - story.accepted_at)
    if story.attempts:
        yield f"It failed {counted(story.attempts, 'time')}: {story.error}."
        if story.next_attempt_at:
            yield f"The next attempt is due in {long(max(timedelta(0), story.next_attempt_at - now))}."
        return
    if story.reached:
        yield f"It goes out in chunks: {story.reached} of {story.recipients} inboxes have it,"
        yield "this one is not among them yet." if story.user_id else "the others follow."
        return
    yield f"No worker has taken it yet, {waited} after it was accepted."
    if broker is False:
        yield "The broker cannot be reached: it goes out when the broker is back."
    elif broker:
        yield "The broker answers: is a worker running?"


def _copy(story: Timeline, copy: Copy, now: datetime) -> Iterator[str]:
    if story.woken_at is None and copy.persisted_at - story.accepted_at > SLOW_WAKE:
        late = long(copy.persisted_at - story.accepted_at)
        yield f"No ring reached a worker (the broker or the workers were away); it was found {late} later."
    elif story.woken_at is not None and story.woken_at - story.accepted_at > SLOW_WAKE:
        late = long(story.woken_at - story.accepted_at)
        yield f"It waited {late} before it was rung for: the broker was away, or an attempt had failed."
    if copy.delivered_at is not None or copy.read_at is not None:
        yield from _has_it(story, copy)
    else:
        yield from _has_not(story, copy, now)


def _has_it(story: Timeline, copy: Copy) -> Iterator[str]:
    at = copy.delivered_at or copy.read_at
    assert at is not None
    took = long(at - copy.persisted_at)
    acker = story.acker
    if copy.acked_by is None:
        yield f"It was read {took} after it was in the inbox; no device had acked it before."
    elif acker is None:
        yield f"Socket {copy.acked_by[:8]} acked it after {took}."
    elif acker.open_at(copy.persisted_at):
        yield f"{_capital(acker.name)} was open and acked after {took}."
    else:
        away = long(acker.opened_at - copy.persisted_at)
        yield f"No device took it at once; {acker.name} opened {away} later, was sent it and acked."
    if copy.read_at is None:
        yield "It is unread." if story.inbox else ""
    elif copy.acked_by is not None:
        yield f"It was read {long(copy.read_at - copy.persisted_at)} after it was in the inbox."


def _has_not(story: Timeline, copy: Copy, now: datetime) -> Iterator[str]:
    if not story.sockets and story.woken_at is None and story.published_at is None:
        yield "No socket is known of that was open, then or since."  # it may be older than what is noted down
        return
    if not story.sockets:
        yield "No socket was open, and none has been since:"
        yield "it waits in the inbox, and the badge counts it." if story.inbox else "the next one is sent it."
        return
    if not any(socket.open_at(copy.persisted_at) for socket in story.sockets):
        yield "No socket was open at that time."
    for socket in story.sockets[-3:]:
        yield _unacked(socket, copy, now)
    if story.published_at is None:
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
