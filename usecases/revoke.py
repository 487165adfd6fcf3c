"""Revoke a user's tokens."""

import logging
from datetime import datetime

from models.store import revocations
from notifier.broker.topology import LOOK_AT_REVOCATIONS
from notifier.core.checks import check_user_id
from notifier.core.errors import BrokerUnavailable
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from usecases.change_entries import Publishes

log = logging.getLogger(__name__)
throttled = LogThrottle(log)


def revoke(database: Database, publisher: Publishes, user_id: object) -> tuple[datetime, bool]:
    """Revoke every token issued to a user before now, and tell the gateways to read the revocations.

    Returns:
        The time from which new tokens are valid, and whether the gateways were told. If not, they find it
        within NOTIFIER_REVOCATION_INTERVAL seconds.

    Raises:
        InvalidInput: `user_id` cannot be a user id.
        DatabaseUnavailable: nothing was revoked.
    """
    known, at = check_user_id(user_id), now()
    database.run(lambda connection: revocations.revoke(connection, known, now=at))
    try:
        publisher.publish([LOOK_AT_REVOCATIONS])
    except BrokerUnavailable as exc:
        throttled.warning("revocation not published, gateways will find it: error=%s", exc)
        return at, False
    return at, True
