"""Return snoozed entries at their time, and notify all sockets of their users."""

import logging

from models.store import snooze
from notifier.broker.message import Message
from notifier.core import frames
from notifier.core.errors import BrokerUnavailable
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from usecases.change_entries import Publishes

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

AT_ONCE = 500  # entries of one transaction


def bring_back(database: Database, publisher: Publishes) -> bool:
    """Return some due entries to their inboxes, the earliest first; return whether more may be due.

    Raises DatabaseUnavailable: nothing was changed.
    """
    with database.read() as connection:
        users = snooze.whose(connection, AT_ONCE)
    if not users:
        return False
    arrivals = database.run(lambda c: snooze.bring_back(c, users, limit=AT_ONCE, now=now()))
    if not arrivals:
        return (
            False  # their inboxes are locked, or what is due is withdrawn and its logs are about to be told
        )
    messages = [Message(user, entry.seq, frames.event(user, entry)) for user, entry in arrivals]
    try:
        publisher.publish(messages)
    except BrokerUnavailable as exc:
        throttled.warning("returned entries not published, gateways will fetch them: entries=%d error=%s",
                          len(arrivals), exc)  # fmt: skip
    return True
