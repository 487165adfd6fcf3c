"""Bundles: events of one user that are published together are one message (docs/adr/0039).

A message costs the broker, the publisher and the gateway about the same whether it carries one event or
ten. So the last event of a bundle is a message as any other, and those before it are in a header of it. A
gateway of an earlier version does not read that header: it sees a gap, and fetches it from SQL.
"""

from collections.abc import Iterator, Sequence

from notifier.broker.message import Message

#: The header: the frames of the events before the message's own, whose seqs end right before its own.
BEFORE = "before"
BETWEEN = b"\n"  # which no frame has: JSON writes it as an escape
MAX_EVENTS = 100
MAX_BYTES = 32 * 1024  # of the header; it has to fit into one AMQP frame


def bundle(messages: Sequence[Message], max_bytes: int = MAX_BYTES) -> Sequence[Message]:
    """Return the same events in fewer messages: each user's in their order, users in any order."""
    if len(messages) == 1:
        return messages
    open_ones: dict[str, list[Message]] = {}
    sizes: dict[str, int] = {}
    done: list[Message] = []
    for message in messages:
        user = message.user_id
        group = open_ones.get(user)
        if group is None:
            open_ones[user], sizes[user] = [message], len(message.body)
            continue
        # What was the last one moves into the header.
        follows = message.seq == group[-1].seq + 1 and len(group) < MAX_EVENTS and sizes[user] <= max_bytes
        if not follows:
            done.append(_closed(group))
            group.clear()
            sizes[user] = 0
        group.append(message)
        sizes[user] += len(message.body) + len(BETWEEN)
    return [*done, *map(_closed, open_ones.values())]


def _closed(group: list[Message]) -> Message:
    last = group[-1]
    if len(group) == 1:
        return last
    before = BETWEEN.join([one.body for one in group[:-1]])
    return Message(last.user_id, last.seq, last.body, before)


def unbundle(seq: object, before: object) -> Iterator[tuple[int, str]]:
    """Yield the seq and the frame of each event in the header; nothing when it is not one of ours."""
    if type(seq) is int and isinstance(before, str):
        frames = before.split(BETWEEN.decode())
        yield from enumerate(frames, seq - len(frames))
