"""Read and change the profiles of recipients."""

from collections.abc import Mapping
from typing import Any

from notifier.core.checks import check_user_id
from notifier.core.errors import NotFound
from notifier.core.recipients import check_profile
from notifier.outbox import recipients
from notifier.outbox.engine import Database
from notifier.outbox.recipients import Profile
from notifier.outbox.types import now


def find(database: Database, user_id: object) -> Profile:
    """Return a recipient's profile. Raises InvalidInput, NotFound, DatabaseUnavailable."""
    known = check_user_id(user_id)
    with database.read() as connection:
        found = recipients.find(connection, known)
    if found is None:
        raise NotFound("nothing was ever set for this recipient")
    return found


def put(database: Database, user_id: object, fields: Mapping[str, Any]) -> Profile:
    """Set some fields of a recipient's profile; return it. Raises InvalidInput, DatabaseUnavailable."""
    known, checked = check_user_id(user_id), check_profile(fields)
    return database.run(lambda connection: recipients.put(connection, known, checked, now=now()))
