"""Change the state of inbox entries: read, unread, archived."""

import logging
from collections.abc import Sequence
from typing import Protocol

from models.store import inbox
from models.store.inbox import Changed
from notifier.broker.message import Message
from notifier.core import frames
from notifier.core.errors import BrokerUnavailable
from notifier.core.log import READ
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import now
from notifier.signals import change_unpublished, emit, notification_read

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

PATIENCE = 1.0  # seconds that a change waits for an inbox that another transaction has locked


class Publishes(Protocol):
    """What a use case needs of a publisher."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Hand all messages to the gateways. Raises BrokerUnavailable."""


def change_entries(
    database: Database,
    publisher: Publishes,
    user_id: str,
    op: str,
    *,
    ids: Sequence[str] = (),
    through: int | None = None,
) -> Changed:
    """Change entries of a user's inbox, then let all sockets of the user know.

    Args:
        database: where the inbox is.
        publisher: carries the change to the gateways. What it cannot publish, they fetch from SQL.
        user_id: whose inbox.
        op: READ, UNREAD or ARCHIVED.
        ids: which notifications; unknown ones are passed over.
        through: all entries up to this seq, instead of `ids`; for READ only.

    Returns:
        The log's head and the exact unread count after it.

    Raises:
        DatabaseUnavailable: nothing was changed.
    """

    def work(connection: Connection) -> Changed:
        if through is not None:
            return inbox.read_through(connection, user_id, through, now=now())
        return inbox.change(connection, user_id, op, ids, now=now())

    changed = database.run_patiently(work, PATIENCE)
    if changed.entry is None:
        return changed
    message = Message(user_id, changed.seq, frames.event(user_id, changed.entry))
    try:
        publisher.publish([message])
    except BrokerUnavailable as exc:
        emit(change_unpublished, None, user_id=user_id, seq=changed.seq)
        throttled.warning("change not published, gateways will fetch it: user=%s seq=%d error=%s",
                    user_id, changed.seq, exc)  # fmt: skip
    if op == READ:
        emit(notification_read, None, user_id=user_id, ids=changed.ids, through=through)
    return changed
