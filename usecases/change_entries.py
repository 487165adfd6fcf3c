"""Change the state of inbox entries: read, unread, archived, snoozed and back; and what was seen."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from models.store import inbox, snooze
from models.store.inbox import Changed
from notifier.broker.message import Message
from notifier.core import frames
from notifier.core.errors import BrokerUnavailable, InvalidInput
from notifier.core.log import MAX_SNOOZE, READ, SEEN, UNSNOOZE
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import now
from notifier.signals import change_unpublished, emit, notification_read

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

PATIENCE = 1.0  # seconds that a change waits for an inbox that another transaction has locked


class Publishes(Protocol):
    """What the use case needs of a publisher."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Send all messages to the gateways. Raises BrokerUnavailable."""


def change_entries(
    database: Database,
    publisher: Publishes,
    user_id: str,
    op: str,
    *,
    ids: Sequence[str] = (),
    through: int | None = None,
    until: int | None = None,
) -> Changed:
    """Change entries of a user's inbox, then notify all sockets of the user.

    Args:
        database: where the inbox is.
        publisher: sends the change to the gateways. What it cannot publish, they fetch from SQL.
        user_id: the inbox's owner.
        op: READ, UNREAD, ARCHIVED, SEEN, SNOOZE or UNSNOOZE.
        ids: which notifications; unknown ones are ignored.
        through: all entries up to this seq; for READ instead of `ids`, for SEEN always.
        until: when a snoozed entry comes back, milliseconds since 1970 UTC; for SNOOZE.

    Returns:
        The log's head and the exact unread count after it.

    Raises:
        DatabaseUnavailable: nothing was changed.
        InvalidInput: `until` is too far ahead; nothing was changed.
    """
    back_at = _back_at(until) if until is not None else None

    def work(connection: Connection) -> Changed:
        if op == SEEN and through is not None:
            return inbox.seen(connection, user_id, through, now=now())
        if op == UNSNOOZE:
            return snooze.unsnooze(connection, user_id, ids, now=now())
        if through is not None:
            return inbox.read_through(connection, user_id, through, now=now())
        return inbox.change(connection, user_id, op, ids, now=now(), until=back_at)

    changed = database.run_patiently(work, PATIENCE)
    if not changed.entries:
        return changed
    messages = [Message(user_id, entry.seq, frames.event(user_id, entry)) for entry in changed.entries]
    try:
        publisher.publish(messages)
    except BrokerUnavailable as exc:
        emit(change_unpublished, None, user_id=user_id, seq=changed.seq)
        throttled.warning("change not published, gateways will fetch it: user=%s seq=%d error=%s",
                    user_id, changed.seq, exc)  # fmt: skip
    if op == READ:
        emit(notification_read, None, user_id=user_id, ids=changed.ids, through=through)
    return changed


def _back_at(until: int) -> datetime:
    back_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=until)
    if back_at > now() + MAX_SNOOZE:
        days = MAX_SNOOZE.days
        raise InvalidInput(problems=[{"loc": ["until"], "msg": f"must be at most {days} days ahead"}])
    return back_at
