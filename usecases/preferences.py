"""Read and change a user's preferences."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from models.store import erased, note
from notifier.broker.message import Message
from notifier.core import frames, preferences
from notifier.core.categories import categories
from notifier.core.errors import BrokerUnavailable
from notifier.core.log import Entry
from notifier.core.log_throttle import LogThrottle
from notifier.outbox import reach, recipients
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import milliseconds, now
from usecases.change_entries import PATIENCE, Publishes

CHANGED: Final = "inbox.preferences"

log = logging.getLogger(__name__)
throttled = LogThrottle(log)


def find(database: Database, user_id: str) -> dict[str, Any]:
    """Return a user's effective preferences for `GET /api/preferences`. Raises DatabaseUnavailable."""
    with database.read() as connection:
        found = recipients.find(connection, user_id)
    if found is None:
        return preferences.told(categories(), None, None)
    return preferences.told(categories(), found.preferences, found.timezone)


def change(
    database: Database,
    publisher: Publishes,
    user_id: str,
    asked: Mapping[str, Any],
    *,
    issued_at: float = math.inf,
) -> dict[str, Any]:
    """Change a user's preferences, notify all sockets of the user, and return the effective preferences.

    Args:
        database: where they are.
        publisher: carries the log's new entry to the gateways. What it cannot publish, they fetch from SQL.
        user_id: whose.
        asked: some of `notifier.core.preferences.FIELDS`.
        issued_at: when the user's token was issued, seconds since 1970; infinite: no token is asked for.

    Raises:
        InvalidInput: a name or a value is not known; nothing was changed.
        Unauthenticated: the user was erased after the token was issued; nothing was changed.
        DatabaseUnavailable: nothing was changed.
    """
    kinds = categories()
    checked = preferences.check_change(asked, {kind.name: kind for kind in kinds}, now=now())

    def work(connection: Connection) -> tuple[Entry | None, dict[str, Any]]:
        present = now()
        stored, timezone = recipients.lock(connection, user_id, now=present)
        erased.refuse_outdated(connection, user_id, issued_at)
        kept = preferences.changed(stored, checked, at=milliseconds(present))
        zone = checked.get("timezone", timezone)
        if kept == stored and zone == timezone:
            return None, preferences.told(kinds, stored, timezone)
        if kept != stored:
            recipients.keep_preferences(connection, user_id, kept, now=present)
        if zone != timezone:
            recipients.put(connection, user_id, {"timezone": zone}, now=present)
        entry = note.append(connection, user_id, CHANGED, {}, now=present)
        reach.reconsider(connection, user_id)
        return entry, preferences.told(kinds, kept, zone)

    entry, holds = database.run_patiently(work, PATIENCE)
    if entry is not None:
        _publish(publisher, user_id, entry)
    return holds


def switch_off_email(
    database: Database, publisher: Publishes, user_id: str, names: Sequence[str], *, asked_at: float
) -> None:
    """Switch mail off for some categories of a user; without any, for the channel as a whole.

    A category that nobody defines any more, is required or has no mail is passed over.
    Raises DatabaseUnavailable, and Unauthenticated when the user was erased after `asked_at`, seconds since
    1970.
    """
    known = {kind.name: kind for kind in categories()}
    off: dict[str, Any] = {
        name: {"email": "off"}
        for name in names
        if name in known and not known[name].required and "email" in known[name].reach
    }
    wanted = {"categories": off} if names else {"channels": {"email": "off"}}
    change(database, publisher, user_id, wanted, issued_at=asked_at)


def _publish(publisher: Publishes, user_id: str, entry: Entry) -> None:
    try:
        publisher.publish([Message(user_id, entry.seq, frames.event(user_id, entry))])
    except BrokerUnavailable as exc:
        throttled.warning("change not published, gateways will fetch it: user=%s seq=%d error=%s",
                    user_id, entry.seq, exc)  # fmt: skip
