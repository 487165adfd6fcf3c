"""Write into recipients' logs that a notification was withdrawn or updated, then notify their sockets."""

import logging
import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from models.store import untold
from models.store.untold import Told, Untold
from notifier.broker.message import Message
from notifier.core import frames
from notifier.core.errors import BrokerUnavailable
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Database
from notifier.outbox.types import now

CHUNK = 500  # recipients of one transaction
AT_ONCE = 500  # notifications looked up together
FEW = 5  # recipients; such withdrawn notifications are told of together
PAUSE = 0.1  # seconds until a locked inbox is tried again

log = logging.getLogger(__name__)
throttled = LogThrottle(log)


class Publishes(Protocol):
    """What a use case needs of a publisher."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Send all messages to the gateways. Raises BrokerUnavailable."""


def follow_up(database: Database, publisher: Publishes, seconds: float = math.inf) -> bool:
    """Write missing entries, except for locked inboxes, for that time; return whether it was too short.

    At least one transaction is done; the next call goes on from there. Raises DatabaseUnavailable.
    """
    until = time.monotonic() + seconds
    passed: set[str] = set()
    while True:
        with database.read() as connection:
            found = [one for one in untold.some(connection, AT_ONCE + len(passed)) if one.id not in passed]
        if not found:
            return False
        small = [what for what in found if what.why is not None and what.reached <= FEW]
        if len(small) > 1:
            passed |= _tell_together(database, publisher, small)
            if time.monotonic() >= until:
                return True
        for what in found if len(small) < 2 else [what for what in found if what not in small]:
            whole = _tell(database, publisher, what, until)
            if whole is None:
                return True
            if not whole:
                passed.add(what.id)


def _tell_together(database: Database, publisher: Publishes, whats: Sequence[Untold]) -> set[str]:
    """Tell the logs of several that are withdrawn; return the ids of all when one inbox is locked."""
    told: Told = database.run(partial(untold.tell_together, whats=whats, now=now()))
    _publish(publisher, told)
    if told.busy:
        return {what.id for what in whats}
    database.run(partial(untold.all_told, whats=whats))
    return set()


def follow_up_one(database: Database, publisher: Publishes, id: str, seconds: float) -> bool:
    """Write the entries of one notification, waiting for locked inboxes; return whether all are written.

    Raises DatabaseUnavailable.
    """
    until = time.monotonic() + seconds
    while True:
        with database.read() as connection:
            what = untold.find(connection, id)
        if what is None or _tell(database, publisher, what):
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(PAUSE)


def _tell(database: Database, publisher: Publishes, what: Untold, until: float = math.inf) -> bool | None:
    """Write the entries chunk by chunk; return whether all are written; None: the time was up before."""
    after: str | None = ""
    whole = True
    while after is not None:
        told: Told = database.run(partial(untold.tell, what=what, after=after, limit=CHUNK, now=now()))
        _publish(publisher, told)
        whole = whole and not told.busy
        after = told.last
        if after is not None and time.monotonic() >= until:
            return None
    if whole:
        database.run(partial(untold.all_told, whats=[what]))
    return whole


def _publish(publisher: Publishes, told: Told) -> None:
    if not told.entries:
        return
    messages = [Message(user, entry.seq, frames.event(user, entry)) for user, entry in told.entries]
    try:
        publisher.publish(messages)
    except BrokerUnavailable as exc:
        throttled.warning(
            "changes not published, gateways will fetch them: events=%d error=%s", len(messages), exc
        )
